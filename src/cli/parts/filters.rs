//! The flags that choose entries, in the order in which they were typed.
//!
//! The first rule that matches decides, whichever flag it came from.

use super::order::{in_order, placed};
use crate::cli::refusal::Refusal;
use crate::cli::stdio;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, value_parser};
use haul::walk::{Filter, Rule};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The section about them in a verb's help.
macro_rules! patterns {
    () => {
        "\
Patterns:
  NAME    matches that name at any depth
  A/B     matches at the end of a path
  /A      matches at the top only
  A/      matches directories only
  * ? []  match within a name; ** between slashes matches any number of directories
  The first rule that matches an entry decides. Everything below an excluded directory is excluded.
  Entries that no rule matches are kept, unless all rules are includes."
    };
}
pub(crate) use patterns;

/// `--exclude`, `--include`, `--exclude-from` and `--exclude-vcs`, as typed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct FilterArgs {
    rules: Vec<FilterArg>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FilterArg {
    Exclude(OsString),
    Include(OsString),
    ExcludeFrom(PathBuf),
    ExcludeVcs,
}

impl FilterArgs {
    /// Reads the files named and compiles the rules.
    pub(crate) fn compile(&self) -> Result<Filter, Refusal> {
        let mut rules = Vec::new();
        for arg in &self.rules {
            match arg {
                FilterArg::Exclude(glob) => rules.push(Rule::exclude(glob)),
                FilterArg::Include(glob) => rules.push(Rule::include(glob)),
                FilterArg::ExcludeFrom(file) => rules.extend(excludes(&stdio::read_named(file)?)),
                FilterArg::ExcludeVcs => rules.extend(Rule::exclude_version_control()),
            }
        }
        Filter::new(rules).map_err(|error| Refusal::Usage(error.to_string()))
    }
}

/// One pattern per line, taken literally, without empty lines: as in GNU tar.
fn excludes(text: &[u8]) -> impl Iterator<Item = Rule> {
    text.split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| Rule::exclude(OsStr::from_bytes(line)))
}

impl Args for FilterArgs {
    fn augment_args(command: Command) -> Command {
        let glob = |name: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name("GLOB")
                .help_heading("Selection")
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString))
        };
        command
            .arg(glob("exclude").help("Exclude matching entries, with everything below them"))
            .arg(glob("include").help("Include matching entries; only those if there are no other rules"))
            .arg(
                glob("exclude-from")
                    .value_name("FILE")
                    .help("Exclude entries that match a pattern in FILE, one per line")
                    .value_hint(ValueHint::FilePath),
            )
            .arg(
                Arg::new("exclude-vcs")
                    .long("exclude-vcs")
                    .help("Exclude the files of version control systems, such as .git and .gitignore")
                    .help_heading("Selection")
                    .action(ArgAction::SetTrue),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FilterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = |name| placed::<OsString>(matches, name);
        let mut rules = Vec::new();
        rules.extend(values("exclude").map(|(at, glob)| (at, FilterArg::Exclude(glob))));
        rules.extend(values("include").map(|(at, glob)| (at, FilterArg::Include(glob))));
        rules.extend(values("exclude-from").map(|(at, file)| (at, FilterArg::ExcludeFrom(file.into()))));
        if matches.get_flag("exclude-vcs") {
            rules.extend(matches.index_of("exclude-vcs").map(|at| (at, FilterArg::ExcludeVcs)));
        }
        Ok(Self { rules: in_order(rules) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::tree::RelPath;
    use haul::walk::Verdict;

    fn parse(args: &[&str]) -> FilterArgs {
        let command = FilterArgs::augment_args(Command::new("test").no_binary_name(true));
        FilterArgs::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap()
    }

    #[test]
    fn rules_keep_their_order_across_flags() {
        let typed = parse(&[
            "--exclude=a",
            "--include",
            "b",
            "--exclude-vcs",
            "--exclude-from=f",
            "--exclude=c",
            "--include=d",
        ]);
        assert_eq!(
            typed.rules,
            [
                FilterArg::Exclude("a".into()),
                FilterArg::Include("b".into()),
                FilterArg::ExcludeVcs,
                FilterArg::ExcludeFrom("f".into()),
                FilterArg::Exclude("c".into()),
                FilterArg::Include("d".into()),
            ]
        );
        assert_eq!(parse(&[]), FilterArgs::default());
    }

    #[test]
    fn an_earlier_include_is_stronger_than_exclude_vcs() {
        let path = RelPath::new(b"a/.gitignore").unwrap();
        let verdict = |args| parse(args).compile().unwrap().decide(path, false);
        assert_eq!(verdict(&["--include=.gitignore", "--exclude-vcs"]), Verdict::Keep);
        assert_eq!(verdict(&["--exclude-vcs", "--include=.gitignore"]), Verdict::Drop);
    }

    #[test]
    fn a_file_of_patterns_is_read_as_it_stands() {
        let rules: Vec<_> = excludes(b"*.o\n\n# a \xff\nlast").collect();
        assert_eq!(rules.len(), 3);
        assert_eq!(rules[1], Rule::exclude(OsStr::from_bytes(b"# a \xff")));
    }

    #[test]
    fn a_missing_file_of_patterns_is_named() {
        let error = parse(&["--exclude-from=/nonexistent/list"]).compile().unwrap_err();
        assert_eq!(error.to_string(), "cannot open /nonexistent/list: No such file or directory (ENOENT)");
    }
}
