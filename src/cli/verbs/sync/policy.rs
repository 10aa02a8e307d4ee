//! What the mirror should be like: what counts as equal, and which metadata is kept.

use super::flags::{CompareArgs, KeepArgs, SymlinkArgs, UsualArgs};
use crate::cli::environment::Environment;
use crate::cli::refusal::{Refusal, usage};
use haul::internals::users;
use haul::options::Insist;
use haul::plan::policy::{Chmod, Compare, IdMap, Keep, LookUp, Policy, Symlinks};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

pub(super) fn policy(
    compare: &CompareArgs,
    keep: &KeepArgs,
    symlinks: &SymlinkArgs,
    environment: &Environment,
    force: bool,
) -> Result<Policy, Refusal> {
    Ok(Policy {
        // The parser keeps only one of them.
        compare: match compare {
            CompareArgs { checksum: true, .. } | CompareArgs { paranoid: true, .. } => Compare::Checksum,
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

/// What was asked for by name must be kept.
pub(super) fn insist(usual: &UsualArgs) -> Insist {
    Insist {
        modes: usual.perms,
        owners: usual.owner || usual.group,
        times: usual.times,
        symlinks: usual.links,
        hard_links: usual.hard_links,
        devices: usual.devices || usual.devices_and_specials,
        specials: usual.specials || usual.devices_and_specials,
        xattrs: usual.xattrs,
        acls: usual.acls,
    }
}

fn keep(args: &KeepArgs, environment: &Environment) -> Result<Keep, Refusal> {
    let [user_map, group_map] = id_maps(args)?;
    Ok(Keep {
        modes: !args.no_perms,
        executability: args.executability,
        // A user who asks for other owners must learn if they cannot be set.
        users: !user_map.is_empty() || (environment.is_root && !args.no_owner),
        groups: !args.no_group,
        times: !args.no_times,
        omit_dir_times: args.omit_dir_times,
        omit_link_times: args.omit_link_times,
        atimes: args.atimes,
        xattrs: !args.no_xattrs,
        acls: !args.no_acls,
        symlinks: !args.no_links,
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

/// The maps of users and of groups, each from its own flag or from its half of `--chown`.
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

/// The map of `flag`, or the one from `--chown`.
fn id_map(flag: &str, text: Option<&OsStr>, by_chown: IdMap, look_up: &LookUp<'_>) -> Result<IdMap, Refusal> {
    match text {
        None => Ok(by_chown),
        Some(_) if !by_chown.is_empty() => usage(format!("{flag} cannot be used with --chown")),
        Some(text) => {
            IdMap::parse(text.as_bytes(), look_up).map_err(|error| Refusal::Usage(format!("{flag}: {error}")))
        }
    }
}
