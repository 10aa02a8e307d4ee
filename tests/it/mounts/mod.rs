//! haul on slow and odd mounts: one file a topic. `support::slowfs` is the mount.

mod plain;
mod samba;
mod slowfs;
