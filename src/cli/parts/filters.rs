//! The flags that choose entries, the same for every command, in the order in which they were typed.
//!
//! The first rule that matches decides, whichever flag it came from. What the rules mean is the library's.

use super::named::NamedFiles;
use super::order::{in_order, placed};
use crate::cli::environment::Environment;
use crate::cli::refusal::Refusal;
use crate::cli::stdio;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint, value_parser};
use haul::rules::{Given, Rules, Settings, Side};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// The section about them in a verb's help.
macro_rules! patterns {
    () => {
        "\
Patterns:
  NAME     matches that name at any depth
  A/B      matches at the end of a path
  /A       matches at the top only
  A/       matches directories only
  * ? []   match within a name; ** matches anything, including /; A/*** is the directory A and everything below it
  --exclude, --include and --filter are rules, as in rsync(1). The first rule that matches an entry decides; entries that
  no rule matches are kept. Everything below an excluded directory is excluded. --only also excludes what none of its
  patterns matches."
    };
}
pub(crate) use patterns;

const HEADING: &str = "Choosing";
const FILTER_FILES: &str = "filter-files";
const EXCLUDE_VCS: &str = "exclude-vcs";

/// What was typed to choose entries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct FilterArgs {
    /// In the order in which it was typed.
    pub(crate) given: Vec<Given>,
    pub(crate) from0: bool,
    cvs_exclude: bool,
    gitignore: bool,
}

/// The same, for commands that read a directory and so can read rules in it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct TreeFilterArgs(pub(crate) FilterArgs);

impl TreeFilterArgs {
    /// The rules that were typed, for a command that is not a mirror.
    pub(crate) fn rules(&self, named: &mut NamedFiles, environment: &Environment) -> Result<Rules, Refusal> {
        let rules = named.rules(&self.0.given, self.0.settings(environment)?)?;
        rules.refuse_xattr_rules()?;
        Ok(rules)
    }
}

/// A flag with a value that is a rule or the name of a file of rules.
struct Flag {
    name: &'static str,
    short: Option<char>,
    value: &'static str,
    help: &'static str,
    given: fn(Vec<u8>) -> Given,
}

const FLAGS: [Flag; 6] = [
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
        help: "Do not exclude matching entries: the rule '+ PATTERN'",
        given: Given::Include,
    },
    Flag {
        name: "exclude",
        short: None,
        value: "PATTERN",
        help: "Exclude matching entries, with everything below them: the rule '- PATTERN'",
        given: Given::Exclude,
    },
    Flag {
        name: "include-from",
        short: None,
        value: "FILE",
        help: "Read patterns to include from FILE, one per line; - for stdin",
        given: Given::IncludeFrom,
    },
    Flag {
        name: "exclude-from",
        short: None,
        value: "FILE",
        help: "Read patterns to exclude from FILE, one per line; - for stdin",
        given: Given::ExcludeFrom,
    },
    Flag {
        name: "only",
        short: None,
        value: "PATTERN",
        help: "Exclude everything but matching entries, everything below them, and the directories above them",
        given: Given::Only,
    },
];

impl FilterArgs {
    /// The rules that were typed, for a command that reads an archive.
    pub(crate) fn rules(&self, named: &mut NamedFiles, environment: &Environment) -> Result<Rules, Refusal> {
        let rules = named.rules(&self.given, self.settings(environment)?)?;
        rules.in_archive(Side::Sender)?;
        Ok(rules)
    }

    /// What bears on the meaning of all rules.
    pub(crate) fn settings(&self, environment: &Environment) -> Result<Settings, Refusal> {
        let mut settings = Settings {
            nul_separated: self.from0,
            cvs_exclude: self.cvs_exclude,
            gitignore: self.gitignore,
            ..Settings::default()
        };
        if self.cvs_exclude {
            if let Some(home) = &environment.home {
                settings.cvs_home =
                    stdio::read_if_there(&Path::new(home).join(".cvsignore"))?.unwrap_or_default();
            }
            settings.cvs_environment = environment.cvsignore.clone().unwrap_or_default().into_encoded_bytes();
        }
        Ok(settings)
    }
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).help_heading(HEADING).action(ArgAction::SetTrue)
}

impl Args for FilterArgs {
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
        let vcs = "Exclude the files of version control systems, such as .git and .gitignore";
        command
            .args(FLAGS.iter().map(valued))
            .arg(switch(EXCLUDE_VCS, vcs))
            .arg(switch("from0", "In FILEs of patterns, rules and paths, lines end in NUL bytes").short('0'))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Args for TreeFilterArgs {
    fn augment_args(command: Command) -> Command {
        let filter_files = Arg::new(FILTER_FILES)
            .short('F')
            .help("Apply the .rsync-filter files in the tree; given twice, exclude these files, too")
            .help_heading(HEADING)
            // Of a flag that only counts, the parser forgets where it was given first.
            .action(ArgAction::Append)
            .num_args(0)
            .default_missing_value("F");
        let cvs =
            "Exclude what CVS ignores: objects, backups, .git and the like, and what .cvsignore files name";
        FilterArgs::augment_args(command)
            .arg(filter_files)
            .arg(switch("cvs-exclude", cvs).short('C'))
            .arg(switch("gitignore", "Exclude what .gitignore files ignore"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FilterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut typed: Vec<(usize, Given)> = Vec::new();
        for flag in &FLAGS {
            let values = placed::<OsString>(matches, flag.name);
            typed.extend(values.map(|(at, value)| (at, (flag.given)(value.into_vec()))));
        }
        if matches.get_flag(EXCLUDE_VCS) {
            typed.extend(matches.index_of(EXCLUDE_VCS).map(|at| (at, Given::ExcludeVcs)));
        }
        // rsync knows no third one.
        let filter_files = [Given::FilterFiles, Given::HideFilterFiles];
        let has_filter_files = matches.try_contains_id(FILTER_FILES).unwrap_or_default();
        let places = has_filter_files.then(|| matches.indices_of(FILTER_FILES)).flatten();
        typed.extend(places.into_iter().flatten().zip(filter_files));
        let is_set = |name| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or_default();
        Ok(Self {
            given: in_order(typed),
            from0: is_set("from0"),
            cvs_exclude: is_set("cvs-exclude"),
            gitignore: is_set("gitignore"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for TreeFilterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        FilterArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::user;
    use haul::rules::Verdict;
    use haul::tree::RelPath;

    fn parse(args: &[&str]) -> FilterArgs {
        let command = TreeFilterArgs::augment_args(Command::new("test").no_binary_name(true));
        TreeFilterArgs::from_arg_matches(&command.try_get_matches_from(args).unwrap()).unwrap().0
    }

    fn rules(args: &[&str]) -> Result<Rules, Refusal> {
        parse(args).rules(&mut NamedFiles::default(), &user())
    }

    #[test]
    fn rules_keep_their_order_across_flags() {
        let typed = parse(&[
            "--exclude=a",
            "-F",
            "--include",
            "b",
            "--exclude-vcs",
            "-f",
            "- c",
            "--exclude-from=f",
            "-F",
            "--include-from",
            "-",
            "--filter=+ d",
            "--only=h",
            "-f-_e",
            "--exclude",
            "g",
        ]);
        let expected = [
            Given::Exclude(b"a".to_vec()),
            Given::FilterFiles,
            Given::Include(b"b".to_vec()),
            Given::ExcludeVcs,
            Given::Filter(b"- c".to_vec()),
            Given::ExcludeFrom(b"f".to_vec()),
            Given::HideFilterFiles,
            Given::IncludeFrom(b"-".to_vec()),
            Given::Filter(b"+ d".to_vec()),
            Given::Only(b"h".to_vec()),
            Given::Filter(b"-_e".to_vec()),
            Given::Exclude(b"g".to_vec()),
        ];
        assert_eq!(typed.given, expected);
        assert_eq!(parse(&[]), FilterArgs::default());
    }

    #[test]
    fn filter_files_are_obeyed_by_the_first_flag_and_hidden_by_the_second() {
        assert_eq!(parse(&["-F"]).given, [Given::FilterFiles]);
        assert_eq!(parse(&["-FF"]).given, [Given::FilterFiles, Given::HideFilterFiles]);
        assert_eq!(parse(&["-FFF", "--exclude=x"]).given.len(), 3);
    }

    #[test]
    fn a_rule_may_begin_like_a_flag() {
        assert_eq!(parse(&["--filter", "-! a"]).given, [Given::Filter(b"-! a".to_vec())]);
        assert_eq!(parse(&["--exclude", "- b"]).given, [Given::Exclude(b"- b".to_vec())]);
    }

    #[test]
    fn a_command_that_reads_an_archive_has_no_flags_for_rules_in_a_tree() {
        let command = FilterArgs::augment_args(Command::new("test").no_binary_name(true));
        for flag in ["-F", "-C", "--gitignore"] {
            assert!(command.clone().try_get_matches_from([flag]).is_err(), "{flag}");
        }
        let matches = command.try_get_matches_from(["-0", "--exclude=a"]).unwrap();
        let parsed = FilterArgs::from_arg_matches(&matches).unwrap();
        assert_eq!((parsed.from0, parsed.given), (true, vec![Given::Exclude(b"a".to_vec())]));
    }

    #[test]
    fn an_earlier_include_is_stronger_than_exclude_vcs() {
        let path = RelPath::new(b".gitignore").unwrap();
        let verdict = |args| rules(args).unwrap().in_archive(Side::Sender).unwrap().verdict(path, false);
        assert_eq!(verdict(&["--include=.gitignore", "--exclude-vcs"]), Verdict::Keep);
        assert_eq!(verdict(&["--exclude-vcs", "--include=.gitignore"]), Verdict::Drop);
    }

    #[test]
    fn a_missing_file_of_patterns_is_named() {
        let error = rules(&["--exclude-from=/nonexistent/list"]).unwrap_err();
        assert_eq!(error.to_string(), "cannot open /nonexistent/list: No such file or directory (ENOENT)");
    }

    #[test]
    fn what_cvs_ignores_is_read_from_home_and_the_environment() {
        let home = tempfile::tempdir().unwrap();
        stdio::write_named(&home.path().join(".cvsignore"), b"*.mine").unwrap();
        let environment =
            Environment { home: Some(home.path().into()), cvsignore: Some("*.env".into()), ..user() };
        let with = parse(&["-C", "-0"]).settings(&environment).unwrap();
        assert_eq!((&with.cvs_home[..], &with.cvs_environment[..]), (&b"*.mine"[..], &b"*.env"[..]));
        assert!(with.cvs_exclude && with.nul_separated && !with.gitignore);
        let without = parse(&["--gitignore"]).settings(&environment).unwrap();
        assert!(without.cvs_home.is_empty() && without.cvs_environment.is_empty() && without.gitignore);
        let homeless = Environment { home: Some("/nonexistent".into()), ..user() };
        assert!(parse(&["-C"]).settings(&homeless).unwrap().cvs_home.is_empty());
    }
}
