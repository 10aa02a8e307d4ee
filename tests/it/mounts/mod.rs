//! haul on slow and odd mounts: one file a topic. `support::slowfs` is the mount.

mod azure;
mod caps;
mod flight;
mod plain;
mod samba;
mod slowfs;
