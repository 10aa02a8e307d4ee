//! What is known about a destination before anything is written to it: from the type of its file system, from the
//! caller, and from a probe.

use super::capabilities::{Capabilities, Inquiry};
use super::options::{Capability, DestinationOptions, Profile};
use super::probe::{Probed, probe};
use crate::sys::{Dir, meta};
use crate::tree::Locality;
use crate::tree::attributes::Who;
use crate::tree::grain::Grain;
use std::sync::{Arc, OnceLock};

/// What is known about a destination before anything is written to it.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) can: Capabilities,
    /// How precisely it keeps times, if a probe has shown that.
    pub(crate) grain: Option<Grain>,
    pub(crate) locality: Locality,
}

/// What a run will do with a destination, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intent<'a> {
    pub(crate) options: &'a DestinationOptions,
    pub(crate) who: &'a Who,
    /// It may set or compare extended attributes or ACLs.
    pub(crate) xattrs: bool,
    /// It changes nothing.
    pub(crate) is_dry: bool,
}

/// How a destination is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inquire {
    /// Before anything else.
    Now,
    /// When a call is refused that a known local file system does not refuse.
    OnRefusal,
    Never,
}

fn inquire(profile: Profile, locality: Locality, is_dry: bool) -> Inquire {
    match (profile, locality) {
        _ if is_dry => Inquire::Never,
        (Profile::Auto, Locality::Local) => Inquire::OnRefusal,
        (Profile::Auto, Locality::Network | Locality::Unknown) => Inquire::Now,
        (Profile::Local | Profile::Smb | Profile::Nfs, _) => Inquire::Never,
    }
}

/// Finds out about the tree below `root`, which does not exist in some dry runs.
pub(crate) fn survey(root: Option<&Arc<Dir>>, intent: Intent<'_>) -> Surveyed {
    let Intent { options, who, xattrs, is_dry } = intent;
    let locality = root.map(meta::locality).unwrap_or_default();
    let (inquiry, probed) = match (inquire(options.profile, locality, is_dry), root) {
        (Inquire::Never, _) | (_, None) => (Inquiry::Impossible, None),
        (Inquire::Now, Some(root)) => match probe(root, who, xattrs) {
            Ok(probed) => (Inquiry::Done, Some(probed)),
            Err(_) => (Inquiry::Impossible, None),
        },
        (Inquire::OnRefusal, Some(root)) => {
            let (root, who, options) = (Arc::clone(root), who.clone(), options.clone());
            let ask = move || Some(lacks(&options, Some(&probe(&root, &who, xattrs).ok()?)));
            (Inquiry::OnRefusal(Box::new(ask), OnceLock::new()), None)
        }
    };
    let mut lacks = lacks(options, probed.as_ref());
    if locality != Locality::Local && !xattrs {
        // Not even whether a directory has a default ACL is asked.
        lacks.extend([Capability::Xattrs, Capability::Acls]);
    }
    let can = Capabilities::new(&lacks, options.insist, inquiry).naming(options.names);
    Surveyed { can, grain: probed.as_ref().map(Probed::grain), locality }
}

/// What it lacks, by the caller, the profile and the probe.
fn lacks(options: &DestinationOptions, probed: Option<&Probed>) -> Vec<Capability> {
    let found = options.profile.lacks().iter().copied().chain(probed.into_iter().flat_map(Probed::lacks));
    found.filter(|lack| !options.with.contains(lack)).chain(options.without.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_not_be_local_is_probed() {
        use Inquire::{Never, Now, OnRefusal};
        use Locality::{Local, Network, Unknown};
        for (profile, localities, expected) in [
            (Profile::Auto, &[Local][..], OnRefusal),
            (Profile::Auto, &[Network, Unknown], Now),
            (Profile::Local, &[Local, Network, Unknown], Never),
            (Profile::Smb, &[Local, Network, Unknown], Never),
            (Profile::Nfs, &[Local, Network, Unknown], Never),
        ] {
            for &locality in localities {
                assert_eq!(inquire(profile, locality, false), expected, "{profile:?} {locality:?}");
                assert_eq!(inquire(profile, locality, true), Never, "{profile:?} {locality:?} dry");
            }
        }
    }

    #[test]
    fn the_caller_knows_better_than_a_profile_and_a_probe() {
        let capabilities = vec![(Capability::Modes, false), (Capability::Times, true)];
        let probed = Probed { capabilities, ..Probed::default() };
        for (profile, with, without, probed, expected) in [
            (Profile::Auto, &[][..], &[][..], Some(&probed), &[Capability::Modes][..]),
            (Profile::Auto, &[Capability::Modes], &[], Some(&probed), &[]),
            (
                Profile::Auto,
                &[],
                &[Capability::Times],
                Some(&probed),
                &[Capability::Modes, Capability::Times],
            ),
            (Profile::Nfs, &[Capability::Exchange], &[], None, &[Capability::NoReplace]),
        ] {
            let options = DestinationOptions {
                with: with.to_vec(),
                without: without.to_vec(),
                profile,
                ..DestinationOptions::default()
            };
            assert_eq!(lacks(&options, probed), expected, "{options:?}");
        }
    }
}
