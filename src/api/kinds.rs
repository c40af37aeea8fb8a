//! The settings of every kind of receiver: a field for each line of [`domain::kind`](crate::domain::kind)'s table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::generic_config::GenericConfig;
use super::secret_ref::SecretRef;
use crate::domain::kind::{ReceiverKind, kinds};

/// What the settings of every kind say.
trait KindSettings {
    fn secret_ref(&self) -> &SecretRef;

    /// The registry's host, where it is a setting of the kind.
    fn registry_host(&self) -> Option<&str> {
        None
    }
}

macro_rules! settings_of_kinds {
    (
        kargo { $($(#[$kargo_doc:meta])* $kargo:ident $kargo_name:ident $kargo_settings:ident $_k:literal $_m:literal;)* }
        own { $($(#[$own_doc:meta])* $own:ident $own_name:ident $own_settings:ident;)* }
    ) => {
        /// The kinds of receivers that Kargo has.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub struct KargoKinds {
            $(
                $(#[$kargo_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $kargo_name: Option<$kargo_settings>,
            )*
        }

        /// The kinds of receivers that only a `Receiver` or `ClusterReceiver` declares.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub struct OwnKinds {
            $(
                $(#[$own_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $own_name: Option<$own_settings>,
            )*
        }

        impl KargoKinds {
            fn settings(&self) -> [(ReceiverKind, Option<&dyn KindSettings>); ReceiverKind::KARGO.len()] {
                [$((ReceiverKind::$kargo, self.$kargo_name.as_ref().map(|settings| settings as _)),)*]
            }
        }

        impl OwnKinds {
            fn settings(
                &self,
            ) -> [(ReceiverKind, Option<&dyn KindSettings>); ReceiverKind::ALL.len() - ReceiverKind::KARGO.len()] {
                [$((ReceiverKind::$own, self.$own_name.as_ref().map(|settings| settings as _)),)*]
            }
        }
    };
}
kinds!(settings_of_kinds);

impl KargoKinds {
    /// Each kind that is set and the Secret it names, in the order of [`ReceiverKind::KARGO`].
    pub fn secrets(&self) -> impl Iterator<Item = (ReceiverKind, &SecretRef)> {
        self.settings().into_iter().filter_map(|(kind, settings)| Some((kind, settings?.secret_ref())))
    }
}

impl OwnKinds {
    /// Each kind that is set and the Secret it names, in the order of [`ReceiverKind::ALL`].
    pub fn secrets(&self) -> impl Iterator<Item = (ReceiverKind, &SecretRef)> {
        self.settings().into_iter().filter_map(|(kind, settings)| Some((kind, settings?.secret_ref())))
    }

    /// The registry's host, where the settings of a kind name it.
    #[must_use]
    pub fn registry_host(&self) -> Option<&str> {
        self.settings().into_iter().find_map(|(_, settings)| settings?.registry_host())
    }
}

/// Settings of a kind that needs only its secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SecretConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,
}

impl KindSettings for SecretConfig {
    fn secret_ref(&self) -> &SecretRef {
        &self.secret_ref
    }
}

/// Settings of the `artifactory` kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactoryConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,

    /// The virtual repository that Warehouses subscribe to. Artifactory reports the local repository that was pushed
    /// to; this name replaces it, so that subscriptions to the virtual repository match. Use one receiver for each
    /// virtual repository. Default: none, the local repository's name is used. Example: `docker-virtual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_repo_name: Option<String>,
}

impl KindSettings for ArtifactoryConfig {
    fn secret_ref(&self) -> &SecretRef {
        &self.secret_ref
    }
}

impl KindSettings for GenericConfig {
    fn secret_ref(&self) -> &SecretRef {
        &self.secret_ref
    }
}

/// Settings of a registry that may not name its own host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct RegistryConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,

    /// Overrides `spec.registryHost`. Default: none. Example: `registry.example.com:8443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 260), regex(pattern = HOST_PATTERN))]
    pub registry_host: Option<String>,
}

impl KindSettings for RegistryConfig {
    fn secret_ref(&self) -> &SecretRef {
        &self.secret_ref
    }

    fn registry_host(&self) -> Option<&str> {
        self.registry_host.as_deref()
    }
}

/// A host, in IPv6 also in brackets, and perhaps a port.
pub(super) const HOST_PATTERN: &str = r"^([-._a-zA-Z0-9]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$";

/// In CEL, for each of these kinds whether it is set.
pub(super) fn which_are_set(kinds: &[ReceiverKind]) -> String {
    let members: Vec<_> = kinds.iter().map(|kind| format!("has(self.{kind})")).collect();
    format!("[{}]", members.join(", "))
}
