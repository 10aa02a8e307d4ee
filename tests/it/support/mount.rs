//! Mounts the slow file system for one test, or says why there is none.

use super::oracle::{leave_out, peer, skip};
use super::scratch::Scratch;
use super::slowfs::{Options, SlowFs};
use std::path::Path;

impl SlowFs {
    /// Mounts an empty directory in memory. Without `/dev/fuse`, or for a user who may not mount, the test is left out, aloud:
    /// that is the machine's business. What an installed program or root could mend counts as missing, as a peer does.
    #[track_caller]
    pub fn mount(options: Options) -> Option<Self> {
        if !Path::new("/dev/fuse").exists() {
            leave_out("there is no /dev/fuse");
            return None;
        }
        let root = rustix::process::geteuid().is_root();
        if !root && !peer("fusermount3") {
            return None;
        }
        let scratch = Scratch::in_memory();
        match Self::at(&scratch.mkdir("backing"), &scratch.mkdir("mount"), options) {
            Ok(mut fs) => {
                fs.keep(scratch);
                Some(fs)
            }
            Err(error) if root => {
                skip(&format!("the slow file system cannot be mounted: {error}"));
                None
            }
            Err(error) => {
                leave_out(&format!("mounting FUSE is not permitted: {error}"));
                None
            }
        }
    }
}
