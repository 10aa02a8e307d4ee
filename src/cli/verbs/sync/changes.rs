//! How the destination is changed: copied into, deleted from, backed up, linked to other trees.

use super::flags::{CompareArgs, CopyArgs, DeleteArgs, DeltaWhen, HistoryArgs};
use crate::cli::refusal::{Refusal, usage};
use haul::ops::sync::{Alternate, Backup, Copying, Delete, DeleteWhen, Delta, StateOptions, StateTrust};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(super) fn copying(args: &CopyArgs) -> Copying {
    Copying {
        inplace: args.inplace,
        append: args.append,
        preallocate: args.preallocate,
        sparse: args.sparse,
        // Of flags that undo each other, the parser keeps only the last.
        delta: match args.delta {
            _ if args.whole_file || args.no_delta => Delta::Never,
            None | Some(DeltaWhen::Auto) => Delta::Auto,
            Some(DeltaWhen::Always) => Delta::Always,
            Some(DeltaWhen::Never) => Delta::Never,
        },
        // A file that is written in place stays there anyway.
        partial: args.partial && !args.inplace,
    }
}

/// Every flag that says when, or what, to delete implies deletion. The others make sense only with one of them.
pub(super) fn delete(args: &DeleteArgs) -> Result<Option<Delete>, Refusal> {
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

pub(super) fn state(args: &CompareArgs) -> StateOptions {
    let trust = if args.paranoid { StateTrust::Nothing } else { StateTrust::Seen };
    StateOptions { path: args.state.clone(), trust }
}

pub(super) fn backup(args: &HistoryArgs) -> Result<Option<Backup>, Refusal> {
    if !args.backup && args.backup_dir.is_none() {
        return match &args.suffix {
            Some(_) => usage("--suffix needs --backup"),
            None => Ok(None),
        };
    }
    let default = if args.backup_dir.is_some() { "" } else { "~" };
    let suffix = args.suffix.as_deref().unwrap_or(OsStr::new(default)).as_bytes();
    if suffix.contains(&b'/') {
        return usage("--suffix cannot contain a '/'");
    }
    if suffix.is_empty() && args.backup_dir.is_none() {
        return usage("--suffix cannot be empty without --backup-dir");
    }
    Ok(Some(Backup { dir: args.backup_dir.clone(), suffix: suffix.to_vec() }))
}

/// The alternates; relative to `published`, even if the mirror is built next to it.
pub(super) fn alternates(mut typed: Vec<Alternate>, published: Option<&Path>) -> Vec<Alternate> {
    if let Some(dst) = published.and_then(|dst| std::path::absolute(dst).ok()) {
        for alternate in &mut typed {
            alternate.dir = dst.join(&alternate.dir);
        }
    }
    typed
}
