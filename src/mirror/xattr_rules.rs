//! The rules about extended attributes.

use crate::rules::{RuleError, Rules, Scope, Side};

/// The rules about extended attributes, for the source and for the destination.
#[derive(Debug)]
pub(crate) struct XattrRules {
    sent: Scope,
    received: Scope,
}

impl XattrRules {
    /// `None` if there are none.
    pub(crate) fn of(rules: &Rules) -> Result<Option<Self>, RuleError> {
        let (sent, received) = (rules.about_xattrs(Side::Sender)?, rules.about_xattrs(Side::Receiver)?);
        Ok(sent.zip(received).map(|(sent, received)| XattrRules { sent, received }))
    }

    /// If there is any rule, rules decide everything: nothing is left out by default any more. What the destination's
    /// rules exclude is neither removed nor set, as in rsync 3.5, whose manual says only that it is not removed.
    pub(super) fn keep(&self, name: &[u8], side: Side) -> bool {
        let keeps = |scope: &Scope| scope.keeps_xattr(name).unwrap_or(true);
        keeps(&self.received) && (side == Side::Receiver || keeps(&self.sent))
    }
}
