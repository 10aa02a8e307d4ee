//! `haul sync`: its flags, the rules across them, and how it is run.
//!
//! Owns every rule that concerns more than one of these flags, or a flag and the environment. Where rsync has the
//! flags, the rules are rsync's: what implies what, and what excludes what.

mod changes;
mod choose;
mod flags;
mod policy;

pub(crate) use flags::SyncArgs;

use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::pace::Pace;
use crate::cli::parts::named::NamedFiles;
use crate::cli::parts::publish::{self, Common};
use crate::cli::refusal::Refusal;
use crate::cli::run::carry_out;
use crate::cli::show::output::{Lines, Verb, View};
use crate::cli::voice::Voice;
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops::publish::PublishOptions;
use haul::ops::sync::{Choice, SyncOptions, sync};
use haul::rules::Settings;
use std::num::NonZeroU64;
use std::path::PathBuf;

/// Mirrors according to the flags.
pub(crate) fn run(args: SyncArgs, voice: &Voice, environment: &Environment) -> Result<Exit, Refusal> {
    let mirror = resolve(args, environment)?;
    Ok(carry_out(Verb::Sync, &mirror.output(voice), |cancel, progress| mirror.carry_out(cancel, progress)))
}

/// Everything that one `haul sync` is to do.
#[derive(Debug)]
struct SyncTask {
    src: PathBuf,
    dst: PathBuf,
    options: SyncOptions,
    /// How the mirror is published, if it is.
    publish: Option<PublishOptions>,
    /// The limit of bytes of content per second.
    rate: Option<NonZeroU64>,
    /// How often `--itemize` was given.
    itemize: u8,
    stats: bool,
}

impl SyncTask {
    /// Makes the mirror.
    fn carry_out(&self, cancel: &Cancel, observer: &impl Observer) -> Result<Report, Error> {
        let pace = Pace::new(observer, self.rate, cancel);
        publish::at(&self.dst, self.publish, (cancel, &pace), |dst| {
            sync(&self.src, dst, &self.options, cancel, &pace)
        })
    }

    /// What is shown.
    fn output(&self, voice: &Voice) -> View {
        let common = View::of(voice, false);
        // A dry run is for listing.
        let itemized = self.itemize > 0 || (self.options.dry_run && !voice.quiet);
        let changes = match (voice.json, itemized, voice.verbose) {
            (_, false, false) => None,
            (true, _, _) => Some(Lines::Json),
            (false, true, _) => Some(Lines::Itemized),
            (false, false, true) => Some(Lines::Names),
        };
        View {
            changes,
            unchanged: self.itemize > 1,
            stats: self.stats && !voice.json,
            dry_run: self.options.dry_run,
            progress: common.progress && changes.is_none(),
            // A mirror names only what changes.
            names: None,
            ..common
        }
    }
}

/// Applies every rule, and reads the files that the flags name.
fn resolve(args: SyncArgs, environment: &Environment) -> Result<SyncTask, Refusal> {
    let mut named = NamedFiles::default();
    refuse_with_atomic(&args)?;
    let delete = changes::delete(&args.delete)?;
    let backup = changes::backup(&args.history)?;
    let filter = args.filter.0;
    let settings = Settings { delete_excluded: args.delete.delete_excluded, ..filter.settings(environment)? };
    let given = choose::given(filter.given, &args.delete, delete.as_ref(), backup.as_ref());
    let rules = named.rules(&given, settings)?;
    let (src, selection) = choose::choose(args.src, &args.choose, filter.from0, &mut named)?;
    let threads = args.work.threads();
    let common = Common { counts_changes: true, threads, fsync: args.fsync, wait: args.wait };
    // A dry run compares with the old tree itself.
    let publish = publish::options(args.publish, common).filter(|_| !args.dry_run);
    let mut options = SyncOptions::default();
    options.threads = threads;
    options.policy =
        policy::policy(&args.compare, &args.keep, &args.symlinks, environment, args.delete.force)?;
    options.choice = Choice {
        rules,
        selection,
        one_file_system: args.choose.one_file_system,
        prune_empty_dirs: args.choose.prune_empty_dirs,
    };
    options.copying = changes::copying(&args.copy);
    options.delete = delete;
    options.alternates =
        changes::alternates(args.history.alternates.alternates, publish.as_ref().map(|_| &*args.dst));
    options.backup = backup;
    options.detect_renames = args.history.detect_renames;
    options.write_manifest = args.delete.write_manifest;
    options.dry_run = args.dry_run;
    options.fsync = args.fsync;
    options.state = changes::state(&args.compare);
    options.destination = args.destination.options(policy::insist(&args.keep.usual));
    args.in_flight.apply(&mut options.destination);
    options.wait = args.wait;
    let rate = args.bwlimit.unwrap_or_default().0;
    Ok(SyncTask {
        src,
        dst: args.dst,
        options,
        publish,
        rate,
        itemize: args.show.itemize,
        stats: args.show.stats,
    })
}

fn refuse_with_atomic(args: &SyncArgs) -> Result<(), Refusal> {
    let shared = "it writes into files that the old tree may share";
    publish::refuse(
        args.publish,
        &[
            ("--inplace", args.copy.inplace, shared),
            ("--append", args.copy.append, shared),
            ("--partial", args.copy.partial, "the tree of an interrupted run is removed"),
            ("--backup-dir", args.history.backup_dir.is_some(), "--keep keeps the whole old tree"),
            (
                "--write-manifest",
                args.delete.write_manifest.is_some(),
                "the list would be written before the tree is published",
            ),
            (
                "--state",
                args.compare.state.is_some(),
                "it is about one directory, and each run makes another",
            ),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::user;
    use crate::cli::stdio;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use haul::ops::sync::{AlternateUse, DeleteWhen, Delta, StateTrust};
    use haul::options::Insist;
    use haul::plan::policy::{Compare, Keep, Symlinks};
    use std::path::Path;

    fn root() -> Environment {
        Environment { is_root: true, ..user() }
    }

    /// Splits at blanks; a `_` in a word stands for one.
    fn try_run(flags: &str, environment: &Environment) -> Result<(SyncTask, View), Refusal> {
        let line = format!("haul sync s d {flags}");
        let words = line.split_whitespace().map(|word| word.replace('_', " "));
        match Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{flags}: {error}")) {
            Cli { voice, command: Command::Sync(args) } => {
                let mirror = resolve(*args, environment)?;
                let output = mirror.output(&voice);
                Ok((mirror, output))
            }
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    fn run(flags: &str) -> (SyncTask, View) {
        try_run(flags, &user()).unwrap()
    }

    fn options(flags: &str) -> SyncOptions {
        run(flags).0.options
    }

    fn kept(flags: &str, environment: &Environment) -> Keep {
        try_run(flags, environment).unwrap().0.options.policy.keep
    }

    fn refused(flags: &str) -> String {
        match try_run(flags, &user()) {
            Err(Refusal::Usage(why)) => why,
            other => panic!("{flags}: {other:?}"),
        }
    }

    fn is_refused_by_the_parser(flags: &str) -> bool {
        let line = format!("haul sync s d {flags}");
        Cli::try_parse_from(line.split_whitespace()).is_err_and(|error| error.exit_code() == 2)
    }

    #[test]
    fn without_flags_everything_is_kept_and_nothing_deleted() {
        let (mirror, output) = run("");
        assert_eq!((mirror.src.to_str(), mirror.dst.to_str(), mirror.rate), (Some("s"), Some("d"), None));
        let SyncOptions { policy, choice, copying, delete, alternates, backup, .. } = mirror.options;
        assert!(delete.is_none() && backup.is_none() && alternates.is_empty());
        assert!(choice.rules.is_empty() && choice.selection.is_none() && !choice.one_file_system);
        assert_eq!((policy.compare, policy.modify_window, copying.delta), (Compare::Quick, 0, Delta::Auto));
        let keep = policy.keep;
        assert!(keep.modes && keep.groups && keep.times && keep.xattrs && keep.acls && keep.hard_links);
        assert!(keep.devices && keep.specials && !keep.atimes && !keep.executability && !keep.users);
        assert!(output.summary && output.progress && output.changes.is_none() && !output.dry_run);
    }

    #[test]
    fn flags_that_rsync_needs_change_nothing() {
        let usual = "-a -r -l -p -t -g -o -D -H -A -X --devices --specials --links";
        for environment in [user(), root()] {
            assert_eq!(format!("{:?}", kept(usual, &environment)), format!("{:?}", kept("", &environment)));
        }
        // They only insist: what is asked for by name is not left out where the destination cannot keep it.
        let insist = Insist { xattrs: true, acls: true, hard_links: true, ..Insist::default() };
        assert_eq!(
            (options("-aHAX").destination.insist, options("").destination.insist),
            (insist, Insist::default())
        );
        let mut all = options("-aHAX");
        all.destination.insist = Insist::default();
        assert_eq!(format!("{all:?}"), format!("{:?}", options("")));
    }

    #[test]
    fn each_flag_for_comparing_sets_its_rule() {
        for (flags, compare) in [
            ("-c", Compare::Checksum),
            ("--checksum", Compare::Checksum),
            ("--size-only", Compare::SizeOnly),
            ("-I", Compare::Never),
            ("--ignore-times", Compare::Never),
        ] {
            assert_eq!(options(flags).policy.compare, compare, "{flags}");
        }
        for flags in ["-c --size-only", "-c -I", "--size-only -I", "--append -W", "--append --no-delta"] {
            assert!(is_refused_by_the_parser(flags), "{flags}");
        }
        let policy = options("-u --existing --max-size=1.5K --min-size 2 --modify-window=0.5 --force").policy;
        assert!(policy.update && policy.existing && !policy.ignore_existing && policy.force);
        assert_eq!((policy.max_size, policy.min_size), (Some(1536), Some(2)));
        assert_eq!(policy.modify_window, 500_000_000);
        let policy = options("--ignore-non-existing --ignore-existing -@2").policy;
        assert!(policy.existing && policy.ignore_existing && !policy.update && !policy.force);
        assert_eq!(policy.modify_window, 2_000_000_000);
    }

    #[test]
    fn a_state_is_kept_on_request_and_doubted_on_request() {
        let state = |flags| options(flags).state;
        assert_eq!((state("").path, state("").trust), (None, StateTrust::Seen));
        assert_eq!(state("--state=f").path.as_deref(), Some(Path::new("f")));
        let paranoid = options("--paranoid --state f");
        assert_eq!((paranoid.state.trust, paranoid.policy.compare), (StateTrust::Nothing, Compare::Checksum));
        for flags in ["--paranoid --size-only", "--paranoid -I"] {
            assert!(is_refused_by_the_parser(flags), "{flags}");
        }
    }

    #[test]
    fn the_last_word_on_delta_stands() {
        for (flags, delta) in [
            ("--delta", Delta::Always),
            ("--delta=auto", Delta::Auto),
            ("--delta=always", Delta::Always),
            ("--delta=never", Delta::Never),
            ("--no-delta", Delta::Never),
            ("-W", Delta::Never),
            ("--delta --whole-file", Delta::Never),
            ("--whole-file --delta", Delta::Always),
            ("--no-delta --delta=auto", Delta::Auto),
            ("--delta --no-delta", Delta::Never),
        ] {
            assert_eq!(options(flags).copying.delta, delta, "{flags}");
        }
        assert!(is_refused_by_the_parser("--delta=sometimes"));
        // The word after --delta is not a value: here it would be a third directory.
        assert!(is_refused_by_the_parser("--delta always"));
    }

    #[test]
    fn content_is_written_as_the_flags_say() {
        let copying = options("--preallocate -S --append --partial").copying;
        assert!(
            copying.preallocate && copying.sparse && copying.append && copying.partial && !copying.inplace
        );
        let copying = options("--inplace --partial").copying;
        assert!(copying.inplace && !copying.partial && !copying.sparse);
    }

    #[test]
    fn every_flag_about_when_or_what_to_delete_deletes() {
        for (flags, when) in [
            ("--delete", DeleteWhen::Delayed),
            ("--delete-delay", DeleteWhen::Delayed),
            ("--delete-before", DeleteWhen::Before),
            ("--delete-during", DeleteWhen::During),
            ("--del", DeleteWhen::During),
            ("--delete-after", DeleteWhen::After),
            ("--delete --delete-after", DeleteWhen::After),
            ("--delete-excluded", DeleteWhen::Delayed),
            ("--delete-excluded --del", DeleteWhen::During),
            ("--delete-manifest=m", DeleteWhen::Delayed),
        ] {
            assert_eq!(options(flags).delete.unwrap().when, when, "{flags}");
        }
        let when = ["--delete-before", "--delete-during", "--delete-delay", "--delete-after"];
        for (at, one) in when.iter().enumerate() {
            for other in &when[at + 1..] {
                assert!(is_refused_by_the_parser(&format!("{one} {other}")), "{one} {other}");
                assert!(is_refused_by_the_parser(&format!("{other} {one}")), "{other} {one}");
            }
        }
    }

    #[test]
    fn a_deletion_has_its_bounds() {
        let delete = options("--delete --max-delete=0 --ignore-errors --allow-empty-source").delete.unwrap();
        assert_eq!((delete.max, delete.ignore_errors, delete.allow_empty_source), (Some(0), true, true));
        let both = options("--delete-manifest=m --write-manifest=w");
        assert_eq!(both.delete.unwrap().manifest.as_deref(), Some(Path::new("m")));
        assert_eq!(both.write_manifest.as_deref(), Some(Path::new("w")));
        assert!(options("--write-manifest=w --force").delete.is_none());
    }

    #[test]
    fn what_bounds_a_deletion_needs_one() {
        for flag in ["--max-delete=5", "--ignore-errors", "--allow-empty-source"] {
            let name = flag.split('=').next().unwrap();
            assert_eq!(refused(flag), format!("{name} needs --delete"));
        }
        assert!(is_refused_by_the_parser("--delete --max-delete=-1"));
    }

    #[test]
    fn rules_are_read_in_their_order() {
        let rules = |flags| format!("{:?}", options(flags).choice.rules);
        assert_eq!(rules("--exclude=a --include=b"), rules("-f -_a -f +_b"));
        assert_ne!(rules("--exclude=a --include=b"), rules("--include=b --exclude=a"));
        assert_eq!(rules("-F -F"), rules("-FF"));
        assert_ne!(rules("-FF"), rules("-F"));
        assert!(refused("--filter=nonsense").starts_with("filter rule 'nonsense': unknown rule"));
        for flags in ["--exclude-from=/nonexistent/list", "-f ._/nonexistent/list"] {
            let missing = try_run(flags, &user()).unwrap_err();
            assert_eq!(
                missing.to_string(),
                "cannot open /nonexistent/list: No such file or directory (ENOENT)"
            );
        }
        assert!(!options("--gitignore").choice.rules.is_empty() && !options("-C").choice.rules.is_empty());
    }

    #[test]
    fn backups_beside_their_originals_are_protected_from_deletion() {
        let rules = |flags| format!("{:?}", options(flags).choice.rules);
        assert_eq!(rules("-b --delete"), rules("-f P_*~"));
        assert_eq!(rules("-b --delete --exclude=x --suffix=.old"), rules("--exclude=x -f P_*.old"));
        assert_eq!(rules("-b --delete --suffix=[1]"), rules("-f P_*\\[1]"));
        for flags in ["-b", "-b --delete --backup-dir=old"] {
            assert!(options(flags).choice.rules.is_empty(), "{flags}");
        }
        assert_eq!(rules("-b --delete-excluded"), rules("--delete-excluded"));
    }

    #[test]
    fn a_backup_needs_a_name_of_its_own() {
        let named = |flags| options(flags).backup.map(|backup| (backup.dir, backup.suffix));
        let dir = || Some(PathBuf::from("old"));
        assert_eq!(named("-b"), Some((None, b"~".to_vec())));
        assert_eq!(named("--backup --suffix=.1"), Some((None, b".1".to_vec())));
        assert_eq!(named("--backup-dir=old"), Some((dir(), Vec::new())));
        assert_eq!(named("-b --backup-dir=old --suffix=~"), Some((dir(), b"~".to_vec())));
        assert_eq!(named(""), None);
        assert!(refused("--suffix=~").contains("needs --backup"));
        assert!(refused("-b --suffix=a/b").contains("'/'"));
        assert!(refused("-b --suffix=").contains("cannot be empty"));
    }

    #[test]
    fn metadata_are_kept_but_for_those_that_a_flag_names() {
        let keep = kept("--no-perms --no-group --no-times --no-xattrs --no-acls --no-hard-links", &root());
        assert!(!keep.modes && !keep.groups && !keep.times && !keep.xattrs && !keep.acls && !keep.hard_links);
        assert!(keep.users && keep.devices && keep.specials);
        let keep = kept("-O -J -U -E --no-owner", &root());
        assert!(
            keep.omit_dir_times && keep.omit_link_times && keep.atimes && keep.executability && !keep.users
        );
        for (flags, devices, specials) in [
            ("--no-D", false, false),
            ("--no-devices", false, true),
            ("--no-specials", true, false),
            ("--no-D --specials", true, true),
            ("--no-D -D", true, true),
            ("-D --no-specials", true, false),
        ] {
            let keep = kept(flags, &user());
            assert_eq!((keep.devices, keep.specials), (devices, specials), "{flags}");
        }
        assert!(kept("--no-perms -p --no-times -t", &user()).modes);
        assert!(!kept("-X --no-xattrs", &user()).xattrs);
    }

    #[test]
    fn owners_are_kept_for_root_or_where_others_are_asked_for() {
        for (flags, is_root, users) in [
            ("", true, true),
            ("", false, false),
            ("-o", false, false),
            ("--no-owner", true, false),
            ("--usermap=*:7", false, true),
            ("--chown=7:8", false, true),
            ("--chown=:8", false, false),
            ("--groupmap=*:8 --no-owner", true, false),
        ] {
            assert_eq!(kept(flags, &Environment { is_root, ..user() }).users, users, "{flags} {is_root}");
        }
    }

    #[test]
    fn chown_and_maps_of_the_same_half_exclude_each_other() {
        for flags in ["--chown=1 --usermap=*:2", "--chown=:1 --groupmap=*:2"] {
            assert!(refused(flags).contains("cannot be used with"), "{flags}");
        }
        for flags in ["--chown=1 --groupmap=*:2", "--chown=:1 --usermap=*:2", "--usermap=*:1 --groupmap=*:2"]
        {
            kept(flags, &user());
        }
        for flags in ["--chown=1 --no-owner", "--groupmap=*:1 --no-group", "--usermap=*:1 --no-owner"] {
            assert!(refused(flags).contains("cannot be set with --no-"), "{flags}");
        }
        assert!(refused("--chown=no-such-user-here").starts_with("--chown: "));
        assert!(refused("--usermap=nonsense").starts_with("--usermap: "));
    }

    #[test]
    fn changes_of_modes_add_up_and_heed_the_umask() {
        let environment = Environment { umask: 0o077, ..user() };
        let chmod = kept("--chmod=a+r --chmod -w,Dg+s", &environment).chmod;
        assert_eq!((chmod.apply(0o600, false), chmod.apply(0o700, true)), (0o444, 0o2544));
        assert_eq!(kept("--chmod=+w", &environment).chmod.apply(0o444, false), 0o644);
        assert_eq!(kept("--chmod=+w", &Environment { umask: 0, ..user() }).chmod.apply(0o444, false), 0o666);
        assert!(refused("--chmod=u!x").starts_with("--chmod: invalid mode 'u!x'"));
    }

    #[test]
    fn each_flag_for_symlinks_sets_its_rule() {
        let none = Symlinks::default();
        for (flags, symlinks) in [
            ("", none),
            ("-L", Symlinks { copy: true, ..none }),
            ("--copy-unsafe-links", Symlinks { copy_unsafe: true, ..none }),
            ("--safe-links", Symlinks { safe: true, ..none }),
            ("-k", Symlinks { copy_dirs: true, ..none }),
            ("-K --safe-links", Symlinks { keep_dirs: true, safe: true, ..none }),
        ] {
            assert_eq!(options(flags).policy.symlinks, symlinks, "{flags}");
        }
    }

    #[test]
    fn what_else_is_said_reaches_the_options() {
        let all = options("-x -m --link-dest=a --detect-renames --fsync --wait -n -j 3");
        assert!(all.choice.one_file_system && all.choice.prune_empty_dirs && all.detect_renames);
        assert!(all.fsync && all.wait && all.dry_run);
        assert_eq!((all.threads.get(), all.alternates[0].use_), (3, AlternateUse::Link));
        assert_eq!(options("--copy-dest=a --link-dest=b --copy-dest=c").alternates.len(), 3);
        assert_eq!(run("--bwlimit=2").0.rate.map(NonZeroU64::get), Some(2048));
        assert_eq!(run("--bwlimit=0").0.rate, None);
    }

    #[test]
    fn a_list_of_paths_is_read_and_makes_relative_needless() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        stdio::write_named(&list, b"a\nb/c\n").unwrap();
        let flags = |more: &str| format!("--files-from={} {more}", list.display());
        let (mirror, _) = run(&flags("-R -r"));
        assert_eq!(mirror.src.to_str(), Some("s"));
        assert!(mirror.options.choice.selection.is_some());
        let missing = try_run("--files-from=/nonexistent/list", &user());
        assert!(matches!(&missing, Err(Refusal::Error(Error::Io { .. }))), "{missing:?}");
    }

    #[test]
    fn changes_are_shown_in_the_form_that_was_asked_for() {
        use Lines::{Itemized, Json, Names};
        for (flags, changes, unchanged) in [
            ("", None, false),
            ("-v", Some(Names), false),
            ("-i", Some(Itemized), false),
            ("--itemize-changes -v", Some(Itemized), false),
            ("-ii", Some(Itemized), true),
            ("-n", Some(Itemized), false),
            ("-n -v", Some(Itemized), false),
            ("-n -q", None, false),
            ("-n -q -i", Some(Itemized), false),
            ("--json", None, false),
            ("--json -v", Some(Json), false),
            ("--json -n", Some(Json), false),
            ("--json -n -q", None, false),
            ("--json -ii", Some(Json), true),
        ] {
            let output = run(flags).1;
            assert_eq!((output.changes, output.unchanged), (changes, unchanged), "{flags}");
            assert_eq!(output.progress, changes.is_none() && !flags.contains("-q"), "{flags}");
            assert_eq!(output.names, None, "{flags}");
        }
        assert!(run("--stats -q").1.stats && !run("--stats --json").1.stats && !run("-v").1.stats);
        assert!(run("-n").1.dry_run);
    }

    #[test]
    fn flags_may_be_given_twice() {
        let options = options("--delete --delete -c -c --max-delete=1 --max-delete=2 -a -a");
        assert_eq!(options.delete.unwrap().max, Some(2));
    }
}
