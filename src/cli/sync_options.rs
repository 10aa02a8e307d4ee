//! From the flags of `haul sync` to its options.
//!
//! Owns every rule that concerns more than one of these flags, or a flag and the environment. Where rsync has the
//! flags, the rules are rsync's: what implies what, and what excludes what.

use super::args::{
    ChooseArgs, CompareArgs, CopyArgs, DeleteArgs, DeltaWhen, HistoryArgs, KeepArgs, SymlinkArgs, SyncArgs,
};
use super::hint::FROM0;
use super::options::Environment;
use super::output::{Lines, Output};
use super::pace::Pace;
use super::publish::{self, Common};
use super::refusal::{Refusal, usage};
use super::stdio;
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::{Error, Unfit};
use haul::ops;
use haul::ops::publish::Options as PublishOptions;
use haul::ops::sync::{Alternate, Backup, Choice, Copying, Delete, DeleteWhen, Delta, Options, sync};
use haul::plan::policy::{Chmod, Compare, IdMap, Keep, LookUp, Policy, Symlinks};
use haul::rules::listed::{ListError, ListFault, Selection};
use haul::rules::{Given, Rules, Settings};
use haul::tree::RelPathBuf;
use haul::tree::path::escape;
use haul::users;
use std::ffi::{OsStr, OsString};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Everything that one `haul sync` is to do.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) src: PathBuf,
    pub(crate) dst: PathBuf,
    pub(crate) options: Options,
    /// How the mirror is published, if not where it is made.
    pub(crate) publish: Option<PublishOptions>,
    /// At most so many bytes of content a second.
    pub(crate) rate: Option<NonZeroU64>,
    /// How often `--itemize` was given.
    itemize: u8,
    stats: bool,
}

impl Mirror {
    /// Makes the mirror.
    pub(crate) fn carry_out(&self, cancel: &Cancel, observer: &impl Observer) -> Result<Report, Error> {
        let pace = Pace::new(observer, self.rate, cancel);
        publish::at(&self.dst, self.publish, (cancel, &pace), |dst| {
            sync(&self.src, dst, &self.options, cancel, &pace)
        })
    }

    /// What is shown of it, beside what every verb shows.
    pub(crate) fn output(&self, common: &Output, quiet: bool, verbose: bool) -> Output {
        // Listing is what a dry run is for.
        let itemized = self.itemize > 0 || (self.options.dry_run && !quiet);
        let changes = match (common.json, itemized, verbose) {
            (_, false, false) => None,
            (true, _, _) => Some(Lines::Json),
            (false, true, _) => Some(Lines::Itemized),
            (false, false, true) => Some(Lines::Names),
        };
        Output {
            changes,
            unchanged: self.itemize > 1,
            stats: self.stats && !common.json,
            dry_run: self.options.dry_run,
            progress: common.progress && changes.is_none(),
            // A mirror does not name what is done but what is changed.
            names: None,
            ..common.clone()
        }
    }
}

/// Applies every rule, and reads the files that the flags name.
pub(crate) fn resolve(args: SyncArgs, environment: &Environment) -> Result<Mirror, Refusal> {
    let mut named = NamedFiles::default();
    refuse_with_atomic(&args)?;
    let delete = delete(&args.delete)?;
    let backup = backup(&args.history)?;
    let settings = settings(&args, environment)?;
    let given = given(args.rules.given, &args.delete, delete.as_ref(), backup.as_ref());
    let rules = named.rules(&given, settings)?;
    let (src, selection) = choose(args.src, &args.choose, &mut named)?;
    let threads = args.work.threads.unwrap_or_else(ops::default_threads);
    let common = Common { counts_changes: true, threads, fsync: args.fsync, wait: args.wait };
    // A dry run compares with the old tree itself.
    let publish = publish::options(args.publish, common).filter(|_| !args.dry_run);
    let options = Options {
        threads,
        policy: policy(&args.compare, &args.keep, &args.symlinks, environment, args.delete.force)?,
        choice: Choice {
            rules,
            selection,
            one_file_system: args.choose.one_file_system,
            prune_empty_dirs: args.choose.prune_empty_dirs,
        },
        copying: copying(&args.copy),
        delete,
        alternates: alternates(args.history.alternates.alternates, publish.as_ref().map(|_| &*args.dst)),
        backup,
        detect_renames: args.history.detect_renames,
        write_manifest: args.delete.write_manifest,
        dry_run: args.dry_run,
        fsync: args.fsync,
        wait: args.wait,
    };
    let rate = args.bwlimit.unwrap_or_default().0;
    Ok(Mirror {
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
    let shared = "what it writes into may belong to the old tree, too";
    publish::refuse(
        args.publish,
        &[
            ("--inplace", args.copy.inplace, shared),
            ("--append", args.copy.append, shared),
            ("--partial", args.copy.partial, "what an interrupted run has built is removed"),
            ("--backup-dir", args.history.backup_dir.is_some(), "--keep keeps the whole old tree"),
            (
                "--write-manifest",
                args.delete.write_manifest.is_some(),
                "the list would be there before what it lists",
            ),
        ],
    )
}

/// The alternates; where the mirror is made beside `published`, relative to that all the same.
fn alternates(mut typed: Vec<Alternate>, published: Option<&Path>) -> Vec<Alternate> {
    if let Some(dst) = published.and_then(|dst| std::path::absolute(dst).ok()) {
        for alternate in &mut typed {
            alternate.dir = dst.join(&alternate.dir);
        }
    }
    typed
}

fn policy(
    compare: &CompareArgs,
    keep: &KeepArgs,
    symlinks: &SymlinkArgs,
    environment: &Environment,
    force: bool,
) -> Result<Policy, Refusal> {
    Ok(Policy {
        // The parser lets only one of them stand.
        compare: match compare {
            CompareArgs { checksum: true, .. } => Compare::Checksum,
            CompareArgs { size_only: true, .. } => Compare::SizeOnly,
            CompareArgs { ignore_times: true, .. } => Compare::Never,
            _ => Compare::Quick,
        },
        modify_window: compare.modify_window.unwrap_or(0),
        update: compare.update,
        existing: compare.existing,
        ignore_existing: compare.ignore_existing,
        max_size: compare.max_size,
        min_size: compare.min_size,
        force,
        keep: self::keep(keep, environment)?,
        symlinks: Symlinks {
            safe: symlinks.safe_links,
            copy: symlinks.copy_links,
            copy_unsafe: symlinks.copy_unsafe_links,
            copy_dirs: symlinks.copy_dirlinks,
            keep_dirs: symlinks.keep_dirlinks,
        },
    })
}

fn keep(args: &KeepArgs, environment: &Environment) -> Result<Keep, Refusal> {
    let [user_map, group_map] = id_maps(args)?;
    Ok(Keep {
        modes: !args.no_perms,
        executability: args.executability,
        // Who asks for other owners is to learn when they cannot be set.
        users: !user_map.is_empty() || (environment.is_root && !args.no_owner),
        groups: !args.no_group,
        times: !args.no_times,
        omit_dir_times: args.omit_dir_times,
        omit_link_times: args.omit_link_times,
        atimes: args.atimes,
        xattrs: !args.no_xattrs,
        acls: !args.no_acls,
        hard_links: !args.no_hard_links,
        devices: !args.no_devices && !args.no_devices_and_specials,
        specials: !args.no_specials && !args.no_devices_and_specials,
        numeric_ids: args.numeric_ids,
        chmod: chmod(&args.chmod, environment.umask)?,
        user_map,
        group_map,
    })
}

fn chmod(typed: &[OsString], umask: u32) -> Result<Chmod, Refusal> {
    let mut chmod = Chmod::default();
    for text in typed {
        let extended = chmod.extend(text.as_bytes(), umask);
        extended.map_err(|error| Refusal::Usage(format!("--chmod: {error}")))?;
    }
    Ok(chmod)
}

/// The maps of users and of groups, each from a flag of its own or from its half of `--chown`.
fn id_maps(args: &KeepArgs) -> Result<[IdMap; 2], Refusal> {
    let (find_user, find_group): (&LookUp<'_>, &LookUp<'_>) = (&users::user_id, &users::group_id);
    let (user, group) = match &args.chown {
        Some(text) => IdMap::parse_chown(text.as_bytes(), find_user, find_group)
            .map_err(|error| Refusal::Usage(format!("--chown: {error}")))?,
        None => Default::default(),
    };
    let user_map = id_map("--usermap", args.usermap.as_deref(), user, find_user)?;
    let group_map = id_map("--groupmap", args.groupmap.as_deref(), group, find_group)?;
    if args.no_owner && !user_map.is_empty() {
        return usage("other owners cannot be set with --no-owner");
    }
    if args.no_group && !group_map.is_empty() {
        return usage("other groups cannot be set with --no-group");
    }
    Ok([user_map, group_map])
}

/// What `flag` says, or what `--chown` said already.
fn id_map(flag: &str, text: Option<&OsStr>, by_chown: IdMap, look_up: &LookUp<'_>) -> Result<IdMap, Refusal> {
    match text {
        None => Ok(by_chown),
        Some(_) if !by_chown.is_empty() => usage(format!("{flag} and --chown exclude each other")),
        Some(text) => {
            IdMap::parse(text.as_bytes(), look_up).map_err(|error| Refusal::Usage(format!("{flag}: {error}")))
        }
    }
}

fn copying(args: &CopyArgs) -> Copying {
    Copying {
        inplace: args.inplace,
        append: args.append,
        preallocate: args.preallocate,
        sparse: args.sparse,
        // Of flags that undo each other the parser lets only the last stand.
        delta: match args.delta {
            _ if args.whole_file || args.no_delta => Delta::Never,
            None | Some(DeltaWhen::Auto) => Delta::Auto,
            Some(DeltaWhen::Always) => Delta::Always,
            Some(DeltaWhen::Never) => Delta::Never,
        },
        // What is written in place stays there anyway.
        partial: args.partial && !args.inplace,
    }
}

/// Every flag that says when, or what, to delete says to delete, too. The others only make sense beside one of them.
fn delete(args: &DeleteArgs) -> Result<Option<Delete>, Refusal> {
    let asked = args.delete
        || args.delete_before
        || args.delete_during
        || args.delete_delay
        || args.delete_after
        || args.delete_excluded
        || args.delete_manifest.is_some();
    if !asked {
        let alone = [
            ("--max-delete", args.max_delete.is_some()),
            ("--ignore-errors", args.ignore_errors),
            ("--allow-empty-source", args.allow_empty_source),
        ];
        return match alone.iter().find(|&&(_, given)| given) {
            Some((flag, _)) => usage(format!("{flag} needs --delete")),
            None => Ok(None),
        };
    }
    let when = match args {
        DeleteArgs { delete_before: true, .. } => DeleteWhen::Before,
        DeleteArgs { delete_during: true, .. } => DeleteWhen::During,
        DeleteArgs { delete_after: true, .. } => DeleteWhen::After,
        _ => DeleteWhen::Delayed,
    };
    Ok(Some(Delete {
        when,
        max: args.max_delete,
        ignore_errors: args.ignore_errors,
        allow_empty_source: args.allow_empty_source,
        manifest: args.delete_manifest.clone(),
    }))
}

fn backup(args: &HistoryArgs) -> Result<Option<Backup>, Refusal> {
    if !args.backup && args.backup_dir.is_none() {
        return match &args.suffix {
            Some(_) => usage("--suffix needs --backup"),
            None => Ok(None),
        };
    }
    let default = if args.backup_dir.is_some() { "" } else { "~" };
    let suffix = args.suffix.as_deref().unwrap_or(OsStr::new(default)).as_bytes();
    if suffix.contains(&b'/') {
        return usage("the --suffix of a backup cannot contain a '/'");
    }
    if suffix.is_empty() && args.backup_dir.is_none() {
        return usage("without --backup-dir the --suffix of a backup cannot be empty");
    }
    Ok(Some(Backup { dir: args.backup_dir.clone(), suffix: suffix.to_vec() }))
}

/// The rules that were typed, and behind them the one that keeps backups beside their originals from being deleted.
fn given(
    mut typed: Vec<Given>,
    args: &DeleteArgs,
    delete: Option<&Delete>,
    backup: Option<&Backup>,
) -> Vec<Given> {
    if let Some(Backup { dir: None, suffix }) = backup
        && delete.is_some()
        && !args.delete_excluded
    {
        let mut rule = b"P *".to_vec();
        for &byte in suffix {
            if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
                rule.push(b'\\');
            }
            rule.push(byte);
        }
        typed.push(Given::Filter(rule));
    }
    typed
}

fn settings(args: &SyncArgs, environment: &Environment) -> Result<Settings, Refusal> {
    let mut settings = Settings {
        nul_separated: args.choose.from0,
        delete_excluded: args.delete.delete_excluded,
        cvs_exclude: args.choose.cvs_exclude,
        gitignore: args.choose.gitignore,
        ..Settings::default()
    };
    if args.choose.cvs_exclude {
        if let Some(home) = &environment.home {
            settings.cvs_home =
                stdio::read_if_there(&Path::new(home).join(".cvsignore"))?.unwrap_or_default();
        }
        settings.cvs_environment = environment.cvsignore.clone().unwrap_or_default().into_encoded_bytes();
    }
    Ok(settings)
}

/// The root to mirror, and which paths of it.
fn choose(
    src: PathBuf,
    args: &ChooseArgs,
    named: &mut NamedFiles,
) -> Result<(PathBuf, Option<Selection>), Refusal> {
    // The paths of a list are relative already.
    if let Some(file) = &args.files_from {
        let list = named.read(file.as_os_str().as_bytes())?;
        let selection =
            Selection::parse(&list, args.from0, args.recursive).map_err(|error| bad_line(file, &error))?;
        return Ok((src, Some(selection)));
    }
    if !args.relative {
        return Ok((src, None));
    }
    let (base, below) = relative(&src)?;
    Ok((base, below.map(Selection::subtree)))
}

fn bad_line(file: &Path, error: &ListError) -> Error {
    let what = match error.fault {
        ListFault::Nul => format!("'{}': {} ({FROM0})", escape(&error.text), error.fault),
        _ => format!("'{}': {}", escape(&error.text), error.fault),
    };
    Error::unfit(file, Unfit::Line { number: error.line, what })
}

/// `a/./b/c` is `b/c` below `a`; without a `/./`, the whole path below `/` or the working directory. `None` is all
/// that is below the base.
fn relative(src: &Path) -> Result<(PathBuf, Option<RelPathBuf>), Refusal> {
    let text = src.as_os_str().as_bytes();
    let (base, rest): (&[u8], &[u8]) = match text.windows(3).position(|three| three == b"/./") {
        Some(0) => (b"/", &text[3..]),
        Some(at) => (&text[..at], &text[at + 3..]),
        None if text.starts_with(b"/") => (b"/", text),
        None => (b".", text),
    };
    let slashes = rest.iter().take_while(|&&b| b == b'/').count();
    let rest = &rest[slashes..];
    let below = if rest.is_empty() { Ok(RelPathBuf::default()) } else { RelPathBuf::from_member_name(rest) };
    let below = below.map_err(|error| Refusal::Usage(format!("--relative '{}': {error}", escape(text))))?;
    let below = (!below.as_path().is_root()).then_some(below);
    Ok((OsStr::from_bytes(base).into(), below))
}

/// Reads the files that flags name; `-` is standard input, which can be read once.
#[derive(Debug, Default)]
struct NamedFiles {
    stdin_is_read: bool,
}

impl NamedFiles {
    fn read(&mut self, name: &[u8]) -> Result<Vec<u8>, Refusal> {
        if name != b"-" {
            return Ok(stdio::read_named(Path::new(OsStr::from_bytes(name)))?);
        }
        if self.stdin_is_read {
            return usage("standard input can be read for one flag only");
        }
        self.stdin_is_read = true;
        Ok(stdio::read_input()?)
    }

    fn rules(&mut self, given: &[Given], settings: Settings) -> Result<Rules, Refusal> {
        // A file that cannot be read is no fault of the rule that names it.
        let mut unread = None;
        let rules = Rules::new(given, settings, &mut |name| {
            self.read(name).map_err(|error| {
                unread = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        rules.map_err(|error| unread.unwrap_or_else(|| error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cli::options::{Run, Task, resolve, user};
    use clap::Parser;
    use haul::ops::sync::AlternateUse;

    fn root() -> Environment {
        Environment { is_root: true, ..user() }
    }

    /// Splits at blanks; a `_` in a word stands for one.
    fn try_run(flags: &str, environment: &Environment) -> Result<Run, Refusal> {
        let line = format!("haul sync s d {flags}");
        let words = line.split_whitespace().map(|word| word.replace('_', " "));
        match Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{flags}: {error}")) {
            Cli { voice, command: Command::Operation(operation) } => resolve(operation, &voice, environment),
            other @ Cli { .. } => panic!("{other:?}"),
        }
    }

    fn run(flags: &str) -> (Mirror, Output) {
        let Run { task, output } = try_run(flags, &user()).unwrap();
        match task {
            Task::Sync(mirror) => (*mirror, output),
            other => panic!("{other:?}"),
        }
    }

    fn options(flags: &str) -> Options {
        run(flags).0.options
    }

    fn kept(flags: &str, environment: &Environment) -> Keep {
        match try_run(flags, environment).unwrap().task {
            Task::Sync(mirror) => mirror.options.policy.keep,
            other => panic!("{other:?}"),
        }
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
        let Options { policy, choice, copying, delete, alternates, backup, .. } = mirror.options;
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
        assert_eq!(format!("{:?}", options("-aHAX")), format!("{:?}", options("")));
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
        // The word behind --delta is no value: here it would be a third directory.
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
        assert!(refused("--filter=nonsense").starts_with("filter rule 'nonsense': no rule begins like this"));
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
    fn what_cvs_ignores_is_read_from_home_and_the_environment() {
        let home = tempfile::tempdir().unwrap();
        stdio::write_named(&home.path().join(".cvsignore"), b"*.mine").unwrap();
        let environment =
            Environment { home: Some(home.path().into()), cvsignore: Some("*.env".into()), ..user() };
        let read = |line: &str, environment: &Environment| {
            let Cli { command: Command::Operation(crate::cli::args::Operation::Sync(args)), .. } =
                Cli::try_parse_from(line.split_whitespace()).unwrap()
            else {
                panic!()
            };
            settings(&args, environment).unwrap()
        };
        let with = read("haul sync s d -C -0 --delete-excluded", &environment);
        assert_eq!((&with.cvs_home[..], &with.cvs_environment[..]), (&b"*.mine"[..], &b"*.env"[..]));
        assert!(with.cvs_exclude && with.nul_separated && with.delete_excluded && !with.gitignore);
        let without = read("haul sync s d --gitignore", &environment);
        assert!(without.cvs_home.is_empty() && without.cvs_environment.is_empty() && without.gitignore);
        let homeless = read("haul sync s d -C", &Environment { home: Some("/nonexistent".into()), ..user() });
        assert!(homeless.cvs_home.is_empty());
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
            assert!(refused(flags).contains("exclude each other"), "{flags}");
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
        assert!(refused("--chmod=u!x").starts_with("--chmod: 'u!x'"));
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
    fn a_relative_source_is_split_at_the_first_dot() {
        for (src, base, below) in [
            ("a/./b/c", "a", "b/c"),
            ("/a/b/./c", "/a/b", "c"),
            ("/./a", "/", "a"),
            ("a/./b/./c", "a", "b/c"),
            ("a/.//b/", "a", "b"),
            ("./a", ".", "a"),
            ("a/b", ".", "a/b"),
            ("/a/b/", "/", "a/b"),
            ("a/./", "a", ""),
            (".", ".", ""),
            ("/", "/", ""),
        ] {
            let (found, path) = relative(Path::new(src)).unwrap();
            let path = path.unwrap_or_default();
            assert_eq!((found.to_str(), path.as_path().as_bytes()), (Some(base), below.as_bytes()), "{src}");
        }
        for src in ["../a", "a/./../b", "a/.."] {
            assert!(matches!(relative(Path::new(src)), Err(Refusal::Usage(_))), "{src}");
        }
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
    fn standard_input_is_read_for_one_flag_only() {
        let mut named = NamedFiles { stdin_is_read: true };
        assert!(matches!(named.read(b"-"), Err(Refusal::Usage(_))));
        assert!(matches!(named.read(b"/nonexistent/x"), Err(Refusal::Error(Error::Io { .. }))));
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
