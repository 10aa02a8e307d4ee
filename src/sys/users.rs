//! Names of users and groups: `getpwuid_r(3)`, `getpwnam_r(3)` and related calls, which use the sources in
//! nsswitch.conf(5).

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr;

/// The buffer grows until the record fits, up to a size that no sane directory service returns.
const LARGEST_RECORD: usize = 1 << 20;

/// The name of a user; `None` if it has none.
pub fn user_name(uid: u32) -> Option<Box<[u8]>> {
    look_up(
        // SAFETY: every pointer is valid for the call, and `len` is the buffer's length.
        |record, buffer, len, found| unsafe { libc::getpwuid_r(uid, record, buffer, len, found) },
        // SAFETY: the call above succeeded, so `pw_name` is a NUL-terminated string in the buffer.
        |record: &libc::passwd| unsafe { CStr::from_ptr(record.pw_name) }.to_bytes().into(),
    )
}

/// The name of a group; `None` if it has none.
pub fn group_name(gid: u32) -> Option<Box<[u8]>> {
    look_up(
        // SAFETY: as for `user_name`.
        |record, buffer, len, found| unsafe { libc::getgrgid_r(gid, record, buffer, len, found) },
        // SAFETY: as for `user_name`.
        |record: &libc::group| unsafe { CStr::from_ptr(record.gr_name) }.to_bytes().into(),
    )
}

/// The number of a user.
pub fn user_id(name: &[u8]) -> Option<u32> {
    let name = CString::new(name).ok()?;
    look_up(
        // SAFETY: as for `user_name`; `name` outlives the call.
        |record, buffer, len, found| unsafe { libc::getpwnam_r(name.as_ptr(), record, buffer, len, found) },
        |record: &libc::passwd| record.pw_uid,
    )
}

/// The number of a group.
pub fn group_id(name: &[u8]) -> Option<u32> {
    let name = CString::new(name).ok()?;
    look_up(
        // SAFETY: as for `user_id`.
        |record, buffer, len, found| unsafe { libc::getgrnam_r(name.as_ptr(), record, buffer, len, found) },
        |record: &libc::group| record.gr_gid,
    )
}

fn look_up<R, T>(
    call: impl Fn(*mut R, *mut libc::c_char, usize, *mut *mut R) -> i32,
    take: impl FnOnce(&R) -> T,
) -> Option<T> {
    let mut buffer = vec![0_u8; 1 << 10];
    let mut record = MaybeUninit::<R>::uninit();
    loop {
        let mut found = ptr::null_mut();
        let status = call(record.as_mut_ptr(), buffer.as_mut_ptr().cast(), buffer.len(), &raw mut found);
        match status {
            0 if found.is_null() => return None,
            // SAFETY: on success with a result, `found` points at `record`, which the call filled in.
            0 => return Some(take(unsafe { &*found })),
            libc::ERANGE if buffer.len() < LARGEST_RECORD => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_its_name_and_nobody_has_every_number() {
        assert_eq!(user_id(b"root"), Some(0));
        assert_eq!(user_name(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(group_id(b"root"), Some(0));
        assert_eq!(group_name(0).as_deref(), Some(&b"root"[..]));
        assert_eq!(user_name(4_000_000_001), None);
        assert_eq!(user_id(b"no such user"), None);
        assert_eq!(user_id(b"nul\0"), None);
    }
}
