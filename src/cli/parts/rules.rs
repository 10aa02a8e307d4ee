//! rsync's filter flags, in the order in which they were typed.
//!
//! The order of rules decides, across flags, and only the parser knows it. Owns the flags and
//! that order; what the rules mean is the library's.

use super::order::{in_order, placed};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, value_parser};
use haul::rules::Given;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

const HEADING: &str = "Choosing";
const FILTER_FILES: &str = "filter-files";

/// A flag with a value that is a rule or the name of a file of rules.
struct Flag {
    name: &'static str,
    short: Option<char>,
    value: &'static str,
    help: &'static str,
    given: fn(Vec<u8>) -> Given,
}

const FLAGS: [Flag; 5] = [
    Flag {
        name: "filter",
        short: Some('f'),
        value: "RULE",
        help: "Add a filter rule, such as '- *.o', '+ /keep', 'P /data/' or ': .rules'",
        given: Given::Filter,
    },
    Flag {
        name: "include",
        short: None,
        value: "PATTERN",
        help: "Do not exclude what matches: the rule '+ PATTERN'",
        given: Given::Include,
    },
    Flag {
        name: "exclude",
        short: None,
        value: "PATTERN",
        help: "Neither transfer nor delete what matches: the rule '- PATTERN'",
        given: Given::Exclude,
    },
    Flag {
        name: "include-from",
        short: None,
        value: "FILE",
        help: "Read patterns to include from FILE; - for stdin",
        given: Given::IncludeFrom,
    },
    Flag {
        name: "exclude-from",
        short: None,
        value: "FILE",
        help: "Read patterns to exclude from FILE; - for stdin",
        given: Given::ExcludeFrom,
    },
];

/// `--filter`, `--include`, `--exclude`, `--include-from`, `--exclude-from` and `-F`, as typed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct RuleArgs {
    pub(crate) given: Vec<Given>,
}

impl Args for RuleArgs {
    fn augment_args(command: Command) -> Command {
        let valued = |flag: &Flag| {
            let hint = if flag.value == "FILE" { ValueHint::FilePath } else { ValueHint::Other };
            Arg::new(flag.name)
                .long(flag.name)
                .short(flag.short)
                .value_name(flag.value)
                .help(flag.help)
                .help_heading(HEADING)
                .action(ArgAction::Append)
                // Patterns begin with '-' as often as not.
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString))
                .value_hint(hint)
        };
        let filter_files = Arg::new(FILTER_FILES)
            .short('F')
            .help("Obey the .rsync-filter files in the tree; given twice, leave these files out, too")
            .help_heading(HEADING)
            // Of a flag that only counts, the parser forgets where it was given first.
            .action(ArgAction::Append)
            .num_args(0)
            .default_missing_value("F");
        command.args(FLAGS.iter().map(valued)).arg(filter_files)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RuleArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut rules = Vec::new();
        for flag in &FLAGS {
            let values = placed::<OsString>(matches, flag.name);
            rules.extend(values.map(|(at, value)| (at, (flag.given)(value.into_vec()))));
        }
        // rsync knows no third one.
        let filter_files = [Given::FilterFiles, Given::HideFilterFiles];
        rules.extend(matches.indices_of(FILTER_FILES).into_iter().flatten().zip(filter_files));
        Ok(Self { given: in_order(rules) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Vec<Given> {
        let command = RuleArgs::augment_args(Command::new("test").no_binary_name(true));
        RuleArgs::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap().given
    }

    #[test]
    fn rules_keep_their_order_across_flags() {
        let typed = parse(&[
            "--exclude=a",
            "-F",
            "--include",
            "b",
            "-f",
            "- c",
            "--exclude-from=f",
            "-F",
            "--include-from",
            "-",
            "--filter=+ d",
            "-f-_e",
            "--exclude",
            "g",
        ]);
        let expected = [
            Given::Exclude(b"a".to_vec()),
            Given::FilterFiles,
            Given::Include(b"b".to_vec()),
            Given::Filter(b"- c".to_vec()),
            Given::ExcludeFrom(b"f".to_vec()),
            Given::HideFilterFiles,
            Given::IncludeFrom(b"-".to_vec()),
            Given::Filter(b"+ d".to_vec()),
            Given::Filter(b"-_e".to_vec()),
            Given::Exclude(b"g".to_vec()),
        ];
        assert_eq!(typed, expected);
        assert_eq!(parse(&[]), []);
    }

    #[test]
    fn filter_files_are_obeyed_by_the_first_flag_and_hidden_by_the_second() {
        assert_eq!(parse(&["-F"]), [Given::FilterFiles]);
        assert_eq!(parse(&["-FF"]), [Given::FilterFiles, Given::HideFilterFiles]);
        assert_eq!(parse(&["-FFF", "--exclude=x"]).len(), 3);
    }

    #[test]
    fn a_rule_may_begin_like_a_flag() {
        assert_eq!(parse(&["--filter", "-! a"]), [Given::Filter(b"-! a".to_vec())]);
        assert_eq!(parse(&["--exclude", "- b"]), [Given::Exclude(b"- b".to_vec())]);
    }
}
