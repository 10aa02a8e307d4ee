//! Copies the old tree as the beginning of the new one: an ordinary mirror.

use super::options::{PublishOptions, Reuse};
use super::place::OldTree;
use super::store::Store;
use crate::account::{End, Event, Observer, Report};
use crate::cancel::Cancel;
use crate::error::{Act, Error, Feature};
use crate::ops::sync::{self, Alternate, AlternateUse};
use crate::sys::{copy, process};
use rustix::io::{Errno, Result as SysResult};

/// Copies the old tree to where the new one is built. Entries that only root could copy are an error.
pub(super) fn copy(
    tree: &OldTree,
    store: &Store,
    options: &PublishOptions,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Report, Error> {
    let mut how = sync::SyncOptions { threads: options.threads, ..sync::SyncOptions::default() };
    // A user other than root cannot change owners of copies, and links keep theirs.
    how.policy.keep.users = process::identity().0 == 0;
    if links(tree, store, options.reuse)? {
        let dir = process::absolute(&tree.path);
        how.alternates = vec![Alternate { dir, use_: AlternateUse::Link }];
    }
    let mut report = sync::sync(&tree.path, &store.stage(), &how, cancel, &Quiet(observer))?;
    if matches!(report.end, End::Complete) && report.counts.skipped > 0 {
        report.end = End::Stopped(Error::io(
            Act::Publish,
            &tree.path,
            std::io::Error::other("it holds device nodes, which only root can copy to the new tree"),
        ));
    }
    Ok(report)
}

/// Whether files are linked instead of copied.
fn links(tree: &OldTree, store: &Store, reuse: Reuse) -> Result<bool, Error> {
    Ok(match reuse {
        Reuse::Hardlink => true,
        Reuse::Copy => false,
        Reuse::Auto => try_reflink(store).is_err(),
        Reuse::Reflink => {
            try_reflink(store).map_err(|errno| Error::Unsupported {
                path: tree.path.clone(),
                feature: Feature::Reflink,
                source: errno.into(),
            })?;
            false
        }
    })
}

/// Finds out whether files of this file system can share blocks.
fn try_reflink(store: &Store) -> SysResult<()> {
    let tried = store.try_out(|dir| {
        let (one, other) = (dir.create_file(b"a", 0o600)?, dir.create_file(b"b", 0o600)?);
        copy::write_at(&one, b"x", 0)?;
        copy::reflink(&dir.open_file(b"a")?, &other, 1)
    });
    tried.map_err(|errno| match errno {
        // The error of ioctl(2) if there is no such request.
        Errno::NOTTY => Errno::OPNOTSUPP,
        errno => errno,
    })
}

/// Passes on failures, but not progress: this is not the tree that the user asked for.
struct Quiet<'a>(&'a dyn Observer);

impl Observer for Quiet<'_> {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Failed(_) | Event::Warning(_)) {
            self.0.event(event);
        }
    }
}
