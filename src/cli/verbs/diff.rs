//! `haul diff`: its flags, the rules across them, and how it is run.

use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::parts::filters::{TreeFilterArgs, patterns};
use crate::cli::parts::local::local;
use crate::cli::parts::named::NamedFiles;
use crate::cli::parts::threads::Work;
use crate::cli::place::{A_DELTA, ArchivePlace};
use crate::cli::refusal::{Refusal, usage};
use crate::cli::run::carry_out;
use crate::cli::show::output::{Lines, Verb, View};
use crate::cli::show::steps::Shown;
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::account::{Observer, Report};
use haul::cancel::Cancel;
use haul::error::Error;
use haul::ops;
use haul::ops::diff::{DiffOptions, Fields, Trust, diff};
use haul::tree::path::escape;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Compare two trees, each a directory or an archive
///
/// Lists what `haul sync A B --delete` would do to make B like A, in the same columns: + is only in A, *deleting is
/// only in B. A and B are directories or archives in any combination. Contents are compared; for an archive with haul's
/// index by the digests in it, without reading any data. Any other archive is read front to back. The exit status is 0
/// if both are the same, and 4 if they differ.
#[derive(Debug, Args)]
#[command(after_help = DIFF)]
pub(crate) struct DiffArgs {
    /// A directory or an archive (any tar, plain or compressed with zstd); - for an archive on stdin
    #[arg(value_name = "A", value_parser = local(), value_hint = ValueHint::AnyPath)]
    pub(crate) src: OsString,
    /// The same; only one of the two can be -. An archive, A or B, may be followed by deltas of it (see pack --delta),
    /// which are applied
    #[arg(value_name = "B", required = true, value_parser = local(), value_hint = ValueHint::AnyPath)]
    pub(crate) behind: Vec<OsString>,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) show: DiffShowArgs,
    #[command(flatten)]
    pub(crate) compare: DiffCompareArgs,
    #[command(flatten)]
    pub(crate) filter: TreeFilterArgs,
}

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct DiffShowArgs {
    /// Show each difference in rsync's eleven columns (the default); with --json, as a separate object, like -v
    #[arg(short, long, visible_alias = "itemize-changes")]
    pub(crate) itemize: bool,
    /// Show a table by top-level directory and by type instead of the differences
    #[arg(long, conflicts_with = "itemize")]
    pub(crate) stat: bool,
}

/// What counts as a difference.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparing")]
pub(crate) struct DiffCompareArgs {
    /// Treat files of the same size and time as equal, as sync does, and compare the contents of the others
    #[arg(long, conflicts_with = "size_only")]
    pub(crate) quick: bool,
    /// Treat the contents of files of the same size as equal
    #[arg(long)]
    pub(crate) size_only: bool,
    /// Compare owners by number even if both sides have names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    /// Do not compare modes
    #[arg(long)]
    pub(crate) no_perms: bool,
    /// Do not compare owners
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Do not compare groups
    #[arg(long)]
    pub(crate) no_group: bool,
    /// Do not compare modification times
    #[arg(long)]
    pub(crate) no_times: bool,
    /// Do not compare extended attributes
    #[arg(long)]
    pub(crate) no_xattrs: bool,
    /// Do not compare POSIX ACLs
    #[arg(long)]
    pub(crate) no_acls: bool,
}

const DIFF: &str = concat!(
    "\
Examples:
  haul diff app /srv/app
  haul diff app-2.tar.zst app-1.tar.zst --stat
  haul diff app.tar.zst /srv/app --no-times --exclude '*.pyc'
  haul diff -q app.tar.zst /srv/app || haul unpack app.tar.zst /srv/app
  haul diff --json -v app-2.tar.zst app-1.tar.zst | jq -r 'select(.action == \"update\") | .path'

Lines:
  >f+++++++++ a   a file that only A has (cd, cL, cD, cS: another kind), or that is of another kind in B
  hf+++++++++ a   a hard link that only A has; hf without +: in B the name is a separate file
  >f.st...... a   content (c, s: size), time (t), mode (p), owner (o), group (g), ACL (a), xattr (x) differ
  .f...p..... a   only metadata differs
  *deleting   a   only B has it

",
    patterns!()
);

/// Compares according to the flags.
pub(crate) fn run(args: &DiffArgs, voice: &Voice, environment: &Environment) -> Result<Exit, Refusal> {
    let comparison = resolve(args, voice, environment)?;
    Ok(carry_out(Verb::Diff, &comparison.output, |cancel, progress| comparison.carry_out(cancel, progress)))
}

/// What is compared, and how the result is shown.
#[derive(Debug)]
struct DiffTask {
    src: ArchivePlace,
    dst: ArchivePlace,
    options: DiffOptions,
    shown: Shown,
    output: View,
}

impl DiffTask {
    /// Compares, shows the differences and returns the report.
    fn carry_out(&self, cancel: &Cancel, observer: &dyn Observer) -> Result<Report, Error> {
        // Keep stdin open if an archive comes from there; at most one of the two does.
        let (mut src_stdin, mut dst_stdin) = (None, None);
        let (src, dst) = (self.src.source(&mut src_stdin, cancel)?, self.dst.source(&mut dst_stdin, cancel)?);
        self.shown.show(diff(src, dst, &self.options, cancel, observer))
    }
}

fn resolve(args: &DiffArgs, voice: &Voice, environment: &Environment) -> Result<DiffTask, Refusal> {
    let (src_deltas, dst, dst_deltas) = sides(&args.behind, ops::is_delta)?;
    let (src, dst) = (ArchivePlace::input(&args.src, environment)?, ArchivePlace::input(dst, environment)?);
    if (&src, &dst) == (&ArchivePlace::Standard, &ArchivePlace::Standard) {
        return usage("only one side can come from stdin");
    }
    src.refuse_stream(&[(A_DELTA, !src_deltas.is_empty())])?;
    dst.refuse_stream(&[(A_DELTA, !dst_deltas.is_empty())])?;
    if voice.json && args.show.stat {
        return usage("--stat cannot be used with --json");
    }
    let shown = match (voice.quiet, voice.json) {
        (_, true) if voice.verbose || args.show.itemize => Shown::Lines(Lines::Json),
        (true, _) | (_, true) => Shown::Nothing,
        _ if args.show.stat => Shown::Stat,
        _ => Shown::Lines(Lines::Itemized),
    };
    let mut options = DiffOptions::default();
    options.threads = args.work.threads();
    options.rules = args.filter.rules(&mut NamedFiles::beside(&[&src, &dst]), environment)?;
    options.trust = match args.compare {
        DiffCompareArgs { size_only: true, .. } => Trust::Size,
        DiffCompareArgs { quick: true, .. } => Trust::SizeAndTime,
        _ => Trust::Nothing,
    };
    options.fields = compared_fields(&args.compare);
    options.deltas = [src_deltas, dst_deltas];
    // Only differing entries are named, not all compared ones.
    let output = View { names: None, ..View::of(voice, false) };
    Ok(DiffTask { src, dst, options, shown, output })
}

/// What follows the first side of a comparison: deltas on top of it, the second side, and deltas on top of that.
fn sides(
    behind: &[OsString],
    is_delta: impl Fn(&Path) -> bool,
) -> Result<(Vec<PathBuf>, &OsString, Vec<PathBuf>), Refusal> {
    let end = |from: &[OsString]| from.iter().take_while(|word| is_delta(Path::new(word))).count();
    let (first, rest) = behind.split_at(end(behind));
    let Some((dst, second)) = rest.split_first() else { return usage("expected a second side, B") };
    if let Some(more) = second.get(end(second)) {
        let more = escape(more.as_bytes()).into_owned();
        return usage(format!("unexpected argument '{more}': not a delta archive"));
    }
    let paths = |words: &[OsString]| words.iter().map(PathBuf::from).collect();
    Ok((paths(first), dst, paths(second)))
}

fn compared_fields(args: &DiffCompareArgs) -> Fields {
    Fields {
        modes: !args.no_perms,
        users: !args.no_owner,
        groups: !args.no_group,
        numeric_owner: args.numeric_owner,
        times: !args.no_times,
        xattrs: !args.no_xattrs,
        acls: !args.no_acls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_belong_to_the_side_before_them() {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let is_delta = |path: &Path| path.starts_with("delta");
        for (line, first, dst, second) in [
            ("b", "", "b", ""),
            ("delta/1 delta/2 b", "delta/1 delta/2", "b", ""),
            ("delta/1 b delta/2", "delta/1", "b", "delta/2"),
        ] {
            let behind = words(line);
            let (first_told, dst_told, second_told) = sides(&behind, is_delta).unwrap();
            let paths = |line: &str| words(line).into_iter().map(PathBuf::from).collect::<Vec<_>>();
            assert_eq!((first_told, second_told), (paths(first), paths(second)), "{line}");
            assert_eq!(dst_told, dst);
        }
        assert!(sides(&words("b c"), is_delta).is_err() && sides(&words("delta/1"), is_delta).is_err());
    }
}
