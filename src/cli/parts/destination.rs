//! How a destination is treated: the flags that every verb has that writes a tree.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use haul::options::{Capability, DestinationOptions, Insist, OddNames, Profile};

/// How a destination is treated.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Destination")]
pub(crate) struct DestinationArgs {
    /// How to find out what the file system of the destination keeps and can do: auto tries it out, unless it is a known
    /// local one; the others do not: local can do everything, smb and nfs what such servers can do
    #[arg(long, value_name = "KIND", value_enum, default_value = "auto")]
    pub(crate) profile: ProfileName,
    /// Treat the destination as one that lacks these, whatever was found out (haul probe lists them)
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = capability(), hide_possible_values = true)]
    pub(crate) without: Vec<Capability>,
    /// Treat the destination as one that has these, whatever was found out
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = capability(), hide_possible_values = true)]
    pub(crate) with: Vec<Capability>,
    /// What to do with names that the destination forbids, and with names that differ only in case where it does not
    /// tell them apart [default: refuse]
    #[arg(long, value_name = "HOW")]
    pub(crate) names: Option<NamesHow>,
}

/// What is done with a name that the destination does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesHow {
    /// Write none of them (from a stream: of names that differ only in case, the first); each is an error, and
    /// everything else is done
    Refuse,
    /// Write none of them; each is reported, but is no error
    Skip,
    /// Write them with escapes: %3A for a colon; of names that differ only in case, all but the first
    Escape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileName {
    Auto,
    Local,
    Smb,
    Nfs,
}

impl DestinationArgs {
    /// The options, and what must be kept.
    pub(crate) fn options(&self, insist: Insist) -> DestinationOptions {
        let mut options = DestinationOptions::default();
        options.without.clone_from(&self.without);
        options.with.clone_from(&self.with);
        options.insist = insist;
        options.names = match self.names {
            None | Some(NamesHow::Refuse) => OddNames::Refuse,
            Some(NamesHow::Skip) => OddNames::Skip,
            Some(NamesHow::Escape) => OddNames::Escape,
        };
        options.profile = match self.profile {
            ProfileName::Auto => Profile::Auto,
            ProfileName::Local => Profile::Local,
            ProfileName::Smb => Profile::Smb,
            ProfileName::Nfs => Profile::Nfs,
        };
        options
    }
}

fn capability() -> impl TypedValueParser<Value = Capability> {
    let names = PossibleValuesParser::new(Capability::ALL.map(Capability::name));
    names.map(|name| {
        // The parser has refused every other name.
        let found = Capability::ALL.into_iter().find(|capability| capability.name() == name);
        found.unwrap_or(Capability::Modes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        destination: DestinationArgs,
    }

    fn parse(line: &str) -> Result<DestinationOptions, clap::Error> {
        let line = Line::try_parse_from(std::iter::once("haul").chain(line.split_whitespace()))?;
        Ok(line.destination.options(Insist::default()))
    }

    #[test]
    fn capabilities_go_by_their_names() {
        assert_eq!(parse("").unwrap(), DestinationOptions::default());
        let options =
            parse("--profile smb --without xattrs,hard-links --without times --with symlinks").unwrap();
        assert_eq!(options.without, [Capability::Xattrs, Capability::HardLinks, Capability::Times]);
        assert_eq!((options.with, options.profile), (vec![Capability::Symlinks], Profile::Smb));
        for capability in Capability::ALL {
            assert_eq!(parse(&format!("--without {}", capability.name())).unwrap().without, [capability]);
        }
        assert!(parse("--without ears").is_err() && parse("--profile fast").is_err());
    }
}
