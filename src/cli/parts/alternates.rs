//! `--link-dest`, `--copy-dest` and `--compare-dest`, in the order in which they were typed: the first tree that has a
//! file is used, and only the parser knows the order.

use super::order::{in_order, placed};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, value_parser};
use haul::ops::sync::{Alternate, AlternateUse};
use std::path::PathBuf;

const FLAGS: [(&str, AlternateUse, &str); 3] = [
    (
        "link-dest",
        AlternateUse::Link,
        "If DST lacks a file that DIR has under the same path, hard-link to that. Relative to DST; may be repeated",
    ),
    (
        "copy-dest",
        AlternateUse::Copy,
        "If DST lacks a file that DIR has under the same path, copy it from DIR",
    ),
    (
        "compare-dest",
        AlternateUse::Compare,
        "If DST lacks a file that DIR has under the same path, leave it out",
    ),
];

/// The flags, as typed.
#[derive(Debug, Default, Clone)]
pub(crate) struct AlternateArgs {
    pub(crate) alternates: Vec<Alternate>,
}

impl Args for AlternateArgs {
    fn augment_args(command: Command) -> Command {
        command.args(FLAGS.map(|(name, _, help)| {
            Arg::new(name)
                .long(name)
                .value_name("DIR")
                .help(help)
                .help_heading("History")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::DirPath)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AlternateArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for (name, use_, _) in FLAGS {
            found.extend(placed(matches, name).map(|(at, dir)| (at, Alternate { dir, use_ })));
        }
        Ok(Self { alternates: in_order(found) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AlternateUse::{Compare, Copy, Link};

    #[test]
    fn trees_are_asked_in_the_order_in_which_they_were_typed() {
        let command = AlternateArgs::augment_args(Command::new("test").no_binary_name(true));
        let typed =
            ["--copy-dest=a", "--link-dest", "b", "--compare-dest=c", "--link-dest=d", "--copy-dest=e"];
        let args = AlternateArgs::from_arg_matches(&command.try_get_matches_from(typed).unwrap()).unwrap();
        let found: Vec<_> = args.alternates.iter().map(|a| (a.dir.to_str().unwrap(), a.use_)).collect();
        assert_eq!(found, [("a", Copy), ("b", Link), ("c", Compare), ("d", Link), ("e", Copy)]);
    }
}
