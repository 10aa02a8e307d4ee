//! haul on slow and odd mounts: one file a topic. `support::slowfs` is the mount.

mod caps;
mod plain;
mod samba;
mod slowfs;
