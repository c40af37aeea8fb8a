//! What can be wrong with a receiver.

use crate::domain::secret::{Secret, WEAK_SECRET_BYTES};
use crate::tables::problems::Remark;
use crate::tables::routes::Clash;

/// Declares the reasons and the words of their conditions.
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $text:literal),* $(,)?) => {
        /// Why a receiver is not served as configured, or deserves attention: the reason of its condition.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            /// The reason as conditions have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// It cannot be decoded, or has several kinds.
    Invalid = "Invalid",
    /// Another receiver before it has its name.
    DuplicateName = "DuplicateName",
    /// It has no kind that is known.
    NoKind = "NoKind",
    /// There is no such Secret.
    SecretNotFound = "SecretNotFound",
    /// The Secret cannot be read at the moment.
    SecretUnavailable = "SecretUnavailable",
    /// The API server does not let this process read the Secret.
    SecretForbidden = "SecretForbidden",
    /// The Secret lacks the key of the kind.
    SecretKeyMissing = "SecretKeyMissing",
    /// The key is empty.
    SecretEmpty = "SecretEmpty",
    /// The secret can be guessed.
    WeakSecret = "WeakSecret",
    /// The secret begins or ends with white space, which senders rarely have.
    SecretWhiteSpace = "SecretWhiteSpace",
    /// A credential that is demanded cannot be checked.
    InvalidCredentials = "InvalidCredentials",
    /// What an identity token must say cannot be understood.
    InvalidOIDC = "InvalidOIDC",
    /// An alias of a host cannot be understood.
    InvalidHostAlias = "InvalidHostAlias",
    /// The annotations that narrow it down cannot be understood.
    InvalidScope = "InvalidScope",
    /// An action can never be carried out.
    InvalidAction = "InvalidAction",
    /// The end of the previous secret cannot be understood.
    InvalidExpiry = "InvalidExpiry",
    /// Another object's receiver has the same path.
    PathConflict = "PathConflict",
}

/// What is wrong with one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The receiver's name; its place in the list when it has none.
    pub receiver: String,
    /// The reason of its condition.
    pub reason: Reason,
    /// What a person needs to know, in Kargo's words where it has some.
    pub cause: String,
    /// Whether the receiver is served all the same.
    pub served: bool,
}

impl Problem {
    pub(super) fn new(receiver: &str, reason: Reason, cause: String) -> Self {
        Self { receiver: receiver.to_owned(), reason, cause, served: false }
    }

    pub(super) fn warning(receiver: &str, reason: Reason, cause: String) -> Self {
        Self { served: true, ..Self::new(receiver, reason, cause) }
    }

    /// The same for the views.
    #[must_use]
    pub fn remark(&self) -> Remark {
        let Self { receiver, reason, cause, served } = self;
        Remark { receiver: receiver.clone(), reason: reason.as_str(), cause: cause.clone(), served: *served }
    }

    /// Whether trying again soon can help without any change to the objects.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self.reason, Reason::SecretUnavailable | Reason::SecretForbidden)
    }

    /// Whether the receiver has a URL that is not known yet. A missing right does not count, because it may stay
    /// missing for good, and until then every unknown path would be taken for this one.
    #[must_use]
    pub const fn hides_a_path(&self) -> bool {
        matches!(self.reason, Reason::SecretUnavailable) && !self.served
    }
}

/// The problem of a receiver whose path is claimed twice.
#[must_use]
pub fn path_conflict(clash: &Clash) -> Problem {
    let Clash { receiver, with, is_served } = clash;
    let outcome = if *is_served { "that one is served" } else { "neither is served" };
    let cause = format!(
        "{with} has a receiver with the same path, because project, name and secret of both run together to the same \
         bytes; {outcome} until the secret of one of them is changed"
    );
    Problem::new(receiver, Reason::PathConflict, cause)
}

/// Most often a line break of the file that the Secret was made from. For kinds whose senders sign or present the
/// secret, every request is refused then.
pub(super) fn white_space(receiver: &str, name: &str, namespace: &str, secret: &Secret) -> Option<Problem> {
    let bytes = secret.expose();
    (bytes.trim_ascii().len() < bytes.len()).then(|| {
        let cause = format!(
            r#"the secret in Secret "{name}" in namespace "{namespace}" begins or ends with white space, which is part of it: make the Secret with printf or --from-literal, or enter the same in the sender; correcting it changes the URL"#
        );
        Problem::warning(receiver, Reason::SecretWhiteSpace, cause)
    })
}

pub(super) fn weakness(receiver: &str, name: &str, namespace: &str, secret: &Secret) -> Option<Problem> {
    secret.is_weak().then(|| {
        let cause = format!(
            r#"the secret in Secret "{name}" in namespace "{namespace}" is shorter than {WEAK_SECRET_BYTES} bytes; anyone who may read this status can guess it offline"#
        );
        Problem::warning(receiver, Reason::WeakSecret, cause)
    })
}
