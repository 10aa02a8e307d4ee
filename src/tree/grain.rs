//! How precisely a file system keeps times.
//!
//! Owns how a coarser clock rounds a time. Does not own when two times count as the same (`plan::same`), nor how a file
//! system is asked (`sys::grain`).

use super::{Device, Stat, Timestamp};

/// How precisely one side of a comparison keeps times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Grain {
    /// To the nanosecond: the time that is read is the one that was set.
    #[default]
    Exact,
    /// In units of this many nanoseconds, rounded down.
    Unit(u64),
    /// Unknown: in nanoseconds, or in one of [`UNITS`].
    Unknown,
}

/// Units in which file systems count time, in nanoseconds: NTFS and SMB, microseconds, milliseconds, ext3 and HFS+.
///
/// Not FAT's two seconds: sources whose times are whole seconds are common (archives, checkouts, reproducible builds),
/// and a change within one such unit must not be missed. `--modify-window` is for FAT.
const UNITS: [u64; 4] = [100, 1_000, 1_000_000, Grain::SECOND];

impl Grain {
    /// One second in nanoseconds.
    pub(crate) const SECOND: u64 = 1_000_000_000;

    /// Whether a file system of this grain may show the time `full` as `kept`.
    pub(crate) fn may_keep(self, full: Timestamp, kept: Timestamp) -> bool {
        let cut = |unit: u64| {
            let unit = i128::from(unit.max(1));
            full.nanos_since_epoch().div_euclid(unit) * unit == kept.nanos_since_epoch()
        };
        full == kept
            || match self {
                Grain::Exact => false,
                Grain::Unit(unit) => cut(unit),
                Grain::Unknown => UNITS.into_iter().any(cut),
            }
    }
}

/// How precisely the file systems of one tree keep times: one that was asked, and others below it that were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grains {
    grain: Grain,
    /// The file system that was asked, by its device and its mount; `None` if the grain applies everywhere.
    asked: Option<(Device, (Device, u64))>,
}

impl Grains {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Grains = Grains::everywhere(Grain::Unknown);

    /// For an archive, which is not on a file system.
    pub(crate) const fn everywhere(grain: Grain) -> Self {
        Grains { grain, asked: None }
    }

    /// For a tree whose root is `root`, on a file system of this grain.
    pub(crate) fn below(root: &Stat, grain: Grain) -> Self {
        Grains { grain, asked: Some((root.dev, root.mount_id())) }
    }

    /// The same, or `found` where its file system's type tells nothing.
    pub(crate) fn or(self, found: Option<Grain>) -> Self {
        match (self.grain, found) {
            (Grain::Unknown, Some(grain)) => Grains { grain, ..self },
            _ => self,
        }
    }

    /// The grain of an inode. Other mounts were not asked.
    pub(crate) fn of(&self, stat: &Stat) -> Grain {
        // Files of one overlay may have several devices; several mounts may show one device.
        match self.asked {
            Some((dev, mount)) if dev != stat.dev && mount != stat.mount_id() => Grain::Unknown,
            _ => self.grain,
        }
    }

    /// The grain of an inode on this device.
    pub(crate) fn on(&self, dev: Device) -> Grain {
        match self.asked {
            Some((asked, _)) if asked != dev => Grain::Unknown,
            _ => self.grain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::FileKind;

    #[test]
    fn what_lies_on_another_mount_is_unknown() {
        let root = Stat::sample(FileKind::Directory);
        let device = Device { major: 9, minor: 9 };
        let grains = Grains::below(&root, Grain::Exact);
        for (dev, mount, expected) in [
            (root.dev, 1, Grain::Exact),
            (root.dev, 2, Grain::Exact),
            (device, 1, Grain::Exact),
            (device, 2, Grain::Unknown),
        ] {
            assert_eq!(grains.of(&Stat { dev, mount, ..root.clone() }), expected, "{dev:?} {mount}");
        }
        assert_eq!((grains.on(root.dev), grains.on(device)), (Grain::Exact, Grain::Unknown));
        let everywhere = Grains::everywhere(Grain::Exact);
        assert_eq!((everywhere.of(&root), everywhere.on(device)), (Grain::Exact, Grain::Exact));
    }
}
