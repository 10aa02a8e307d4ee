//! The `haul` command.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]
use haul::ops::pack;
fn main() {
    let a: Vec<_> = std::env::args().collect();
    let n: usize = std::env::var("J").ok().and_then(|j| j.parse().ok()).unwrap_or(2);
    let o = pack::Options { threads: n.try_into().unwrap(), level: 3, filter: Default::default(), one_file_system: false, single_frame: std::env::var("S").is_ok(), latest_mtime: None, owner: Default::default(), fsync: false };
    let r = pack::pack(a[2].as_ref(), pack::Target::Path(a[3].as_ref()), &o, &Default::default(), &());
    std::fs::write("/dev/stderr", format!("{r:?}\n")).unwrap();
}
