//! Takes the kernel's requests and has each answered by a thread of the pool.

use super::acts::{Caller, Making, Renaming, Setting};
use super::counts::Op;
use super::faults::Verdict;
use super::options::TimeStep;
use super::outcome::{Outcome, Refusable};
use super::pool::Pool;
use super::store::{Result, Store, errno};
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow,
    WriteFlags,
};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

const MOST_IN_BACKGROUND: u16 = 256;
const MOST_BYTES: u32 = 1 << 20;

/// What a request is about, for faults that ask for a name.
enum About {
    Node(INodeNo),
    Names(Vec<OsString>),
}

impl About {
    fn name(name: &OsStr) -> Self {
        Self::Names(vec![name.to_owned()])
    }

    fn names(&self, store: &Store) -> Vec<String> {
        match self {
            Self::Node(id) => store.nodes.get(id.0).map(|node| node.name()).into_iter().collect(),
            Self::Names(names) => names.iter().map(|name| name.to_string_lossy().into_owned()).collect(),
        }
    }
}

/// The file system that fuser drives.
pub(super) struct Requests {
    store: Arc<Store>,
    pool: Pool,
}

impl Requests {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, pool: Pool::default() }
    }

    /// Counts a request, and has a thread wait as long as requests take and then do it.
    fn serve<R, T, A>(&self, op: Op, about: About, reply: R, act: A)
    where
        R: Refusable,
        T: Outcome<R>,
        A: FnOnce(&Store) -> Result<T> + Send + 'static,
    {
        self.store.meter.begin(op);
        let store = Arc::clone(&self.store);
        self.pool.run(move || {
            let delay = store.options().delay;
            if op.is_awaited() && !delay.is_zero() {
                thread::sleep(delay);
            }
            let verdict = store.faults.judge(op, || about.names(&store));
            if verdict == Verdict::Hang {
                store.faults.hang();
            }
            let done = match verdict {
                Verdict::Fail(errno) => Err(errno),
                Verdict::Pass | Verdict::Hang => act(&store),
                Verdict::FailAfter(errno) => act(&store).and_then(|outcome| {
                    outcome.discard(&store);
                    Err(errno)
                }),
            };
            // Before the answer: who has it may ask for the counts.
            store.meter.end(op);
            match done {
                Ok(outcome) => outcome.answer(reply, &store),
                Err(errno) => reply.refuse(errno),
            }
        });
    }
}

fn caller(request: &Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid() }
}

// The signatures are fuser's.
#[allow(clippy::too_many_arguments)]
impl Filesystem for Requests {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let options = self.store.options();
        let mut wanted = vec![InitFlags::FUSE_PARALLEL_DIROPS, InitFlags::FUSE_MAX_PAGES];
        if options.readdirplus {
            wanted.push(InitFlags::FUSE_DO_READDIRPLUS);
        }
        for flag in wanted {
            // A kernel without it does without it.
            let _ = config.add_capabilities(flag);
        }
        let _ = config.set_max_background(MOST_IN_BACKGROUND);
        let _ = config.set_congestion_threshold(MOST_IN_BACKGROUND);
        let _ = config.set_max_write(MOST_BYTES);
        // The kernel's own limit is below this one.
        if let Err(most) = config.set_max_readahead(4 * MOST_BYTES) {
            let _ = config.set_max_readahead(most);
        }
        // The kernel knows powers of ten up to a second.
        let step = match options.times {
            TimeStep::Nanosecond => Duration::from_nanos(1),
            TimeStep::HundredNanoseconds => Duration::from_nanos(100),
            TimeStep::TwoSeconds => Duration::from_secs(1),
        };
        let _ = config.set_time_granularity(step);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (about, name) = (About::name(name), name.to_owned());
        self.serve(Op::Lookup, about, reply, move |store| store.look_up(&*store.nodes.get(parent.0)?, &name));
    }

    fn forget(&self, _: &Request, id: INodeNo, lookups: u64) {
        self.store.meter.begin(Op::Forget);
        self.store.nodes.forget(id.0, lookups);
    }

    fn getattr(&self, _: &Request, id: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.serve(Op::GetAttr, About::Node(id), reply, move |store| {
            store.get_attr(&*store.nodes.get(id.0)?)
        });
    }

    fn setattr(
        &self,
        _: &Request,
        id: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let handle = handle.map(|handle| handle.0);
        let setting = Setting { mode, uid, gid, size, atime, mtime, handle };
        self.serve(Op::SetAttr, About::Node(id), reply, move |store| {
            store.set_attr(&*store.nodes.get(id.0)?, &setting)
        });
    }

    fn readlink(&self, _: &Request, id: INodeNo, reply: ReplyData) {
        self.serve(Op::ReadLink, About::Node(id), reply, move |store| {
            store.nodes.get(id.0)?.target().map_err(errno)
        });
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        device: u32,
        reply: ReplyEntry,
    ) {
        let (about, name) = (About::name(name), name.to_owned());
        let making = Making { mode, caller: caller(request) };
        self.serve(Op::Mknod, about, reply, move |store| {
            store.make_node(&*store.nodes.get(parent.0)?, &name, making, device.into())
        });
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let (about, name) = (About::name(name), name.to_owned());
        let making = Making { mode, caller: caller(request) };
        self.serve(Op::Mkdir, about, reply, move |store| {
            store.make_dir(&*store.nodes.get(parent.0)?, &name, making)
        });
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (about, name) = (About::name(name), name.to_owned());
        self.serve(Op::Unlink, about, reply, move |store| {
            store.remove_file(&*store.nodes.get(parent.0)?, &name)
        });
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (about, name) = (About::name(name), name.to_owned());
        self.serve(Op::Rmdir, about, reply, move |store| {
            store.remove_dir(&*store.nodes.get(parent.0)?, &name)
        });
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let (about, name, target) = (About::name(name), name.to_owned(), target.to_owned());
        let caller = caller(request);
        self.serve(Op::Symlink, about, reply, move |store| {
            store.make_symlink(&*store.nodes.get(parent.0)?, &name, &target, caller)
        });
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        let about = About::Names(vec![name.clone(), new_name.clone()]);
        self.serve(Op::Rename, about, reply, move |store| {
            let (from, to) = (store.nodes.get(parent.0)?, store.nodes.get(new_parent.0)?);
            store.rename(&Renaming { from: (&from, &name), to: (&to, &new_name), flags: flags.bits() })
        });
    }

    fn link(&self, _: &Request, id: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (about, name) = (About::name(name), name.to_owned());
        self.serve(Op::Link, about, reply, move |store| {
            store.make_link(&*store.nodes.get(id.0)?, &*store.nodes.get(parent.0)?, &name)
        });
    }

    fn open(&self, _: &Request, id: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        self.serve(Op::Open, About::Node(id), reply, move |store| {
            store.open_file(&store.nodes.get(id.0)?, flags.0)
        });
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (about, name) = (About::name(name), name.to_owned());
        let making = Making { mode, caller: caller(request) };
        self.serve(Op::Create, about, reply, move |store| {
            store.create(&*store.nodes.get(parent.0)?, &name, making, flags)
        });
    }

    fn read(
        &self,
        _: &Request,
        id: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.serve(Op::Read, About::Node(id), reply, move |store| store.read(handle.0, offset, size));
    }

    fn write(
        &self,
        _: &Request,
        id: INodeNo,
        handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let bytes = bytes.to_owned();
        self.serve(Op::Write, About::Node(id), reply, move |store| store.write(handle.0, offset, &bytes));
    }

    fn flush(&self, _: &Request, id: INodeNo, handle: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.serve(Op::Flush, About::Node(id), reply, move |store| store.flush(handle.0));
    }

    fn release(
        &self,
        _: &Request,
        id: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.serve(Op::Release, About::Node(id), reply, move |store| {
            store.files.close(handle.0);
            Ok(())
        });
    }

    fn fsync(&self, _: &Request, id: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.serve(Op::Fsync, About::Node(id), reply, |_| Ok(()));
    }

    fn fsyncdir(&self, _: &Request, id: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.serve(Op::Fsync, About::Node(id), reply, |_| Ok(()));
    }

    fn opendir(&self, _: &Request, id: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.serve(Op::OpenDir, About::Node(id), reply, move |store| store.open_dir(&store.nodes.get(id.0)?));
    }

    fn readdir(&self, _: &Request, id: INodeNo, handle: FileHandle, offset: u64, reply: ReplyDirectory) {
        self.serve(Op::ReadDir, About::Node(id), reply, move |store| store.read_dir(handle.0, offset));
    }

    fn readdirplus(
        &self,
        _: &Request,
        id: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        self.serve(Op::ReadDir, About::Node(id), reply, move |store| store.read_dir(handle.0, offset));
    }

    fn releasedir(&self, _: &Request, id: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.serve(Op::ReleaseDir, About::Node(id), reply, move |store| {
            store.dirs.close(handle.0);
            Ok(())
        });
    }

    fn statfs(&self, _: &Request, id: INodeNo, reply: ReplyStatfs) {
        self.serve(Op::StatFs, About::Node(id), reply, Store::stat_fs);
    }

    fn setxattr(
        &self,
        _: &Request,
        id: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.serve(Op::SetXattr, About::Node(id), reply, move |store| {
            store.set_xattr(&*store.nodes.get(id.0)?, &name, &value, flags)
        });
    }

    fn getxattr(&self, _: &Request, id: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        if size == 0 && name == "security.capability" {
            // The kernel's own question before each write, which no caller asks and no other file system is slow about.
            return reply.error(Errno::ENODATA);
        }
        let name = name.to_owned();
        self.serve(Op::GetXattr, About::Node(id), reply, move |store| {
            store.get_xattr(&*store.nodes.get(id.0)?, &name, size)
        });
    }

    fn listxattr(&self, _: &Request, id: INodeNo, size: u32, reply: ReplyXattr) {
        self.serve(Op::ListXattr, About::Node(id), reply, move |store| {
            store.list_xattrs(&*store.nodes.get(id.0)?, size)
        });
    }

    fn removexattr(&self, _: &Request, id: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.serve(Op::RemoveXattr, About::Node(id), reply, move |store| {
            store.remove_xattr(&*store.nodes.get(id.0)?, &name)
        });
    }

    fn fallocate(&self, _: &Request, id: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        self.serve(Op::Fallocate, About::Node(id), reply, |_| Err::<(), _>(Errno::EOPNOTSUPP));
    }

    fn lseek(
        &self,
        _: &Request,
        id: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.serve(Op::Lseek, About::Node(id), reply, move |store| store.seek(handle.0, offset, whence));
    }

    fn copy_file_range(
        &self,
        _: &Request,
        id: INodeNo,
        from: FileHandle,
        from_offset: u64,
        _to_id: INodeNo,
        to: FileHandle,
        to_offset: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        self.serve(Op::CopyRange, About::Node(id), reply, move |store| {
            store.copy_range((from.0, from_offset), (to.0, to_offset), len)
        });
    }
}
