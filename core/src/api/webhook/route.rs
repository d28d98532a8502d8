//! What there is below `/v1/webhooks/`.

use crate::api::{Methods, Resource, route::find};

/// What of a webhook a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum OfWebhook {
    /// Itself.
    Itself,
    /// `test`.
    Test,
    /// `rotate-secret`.
    RotateSecret,
    /// `redeliver`. With the feature `redelivery`.
    #[cfg(feature = "redelivery")]
    Redeliver,
    /// `attempts`. With the feature `lists`.
    #[cfg(feature = "lists")]
    Attempts,
}

impl OfWebhook {
    /// The methods of it.
    pub(in crate::api) const fn methods(self) -> Methods {
        match self {
            Self::Itself => Methods::ReadAndChange,
            Self::Test | Self::RotateSecret => Methods::Post,
            #[cfg(feature = "redelivery")]
            Self::Redeliver => Methods::Post,
            #[cfg(feature = "lists")]
            Self::Attempts => Methods::Read,
        }
    }
}

/// What there is of a webhook, by what stands behind its id.
const OF_WEBHOOK: &[(Option<&str>, OfWebhook)] = &[
    (None, OfWebhook::Itself),
    (Some("test"), OfWebhook::Test),
    (Some("rotate-secret"), OfWebhook::RotateSecret),
    #[cfg(feature = "redelivery")]
    (Some("redeliver"), OfWebhook::Redeliver),
    #[cfg(feature = "lists")]
    (Some("attempts"), OfWebhook::Attempts),
];

/// The resource that `/v1/webhooks/{id}` and what stands below it names.
pub(in crate::api) fn route<'p>(id: &'p str, below: Option<&str>) -> Option<Resource<'p>> {
    Some(Resource::Webhook(id, find(OF_WEBHOOK, below)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api, http::Method};

    #[track_caller]
    fn check(path: &str, expect: Option<OfWebhook>) {
        let expect = expect.map(|what| Resource::Webhook("ep_1", what));
        assert_eq!(api::route(path), expect, "{path}");
    }

    #[test]
    fn paths_name_what_there_is_of_a_webhook() {
        check("/v1/webhooks/ep_1", Some(OfWebhook::Itself));
        check(
            "/v1/webhooks/ep_1/rotate-secret",
            Some(OfWebhook::RotateSecret),
        );
        #[cfg(feature = "redelivery")]
        check("/v1/webhooks/ep_1/redeliver", Some(OfWebhook::Redeliver));
        #[cfg(not(feature = "redelivery"))]
        check("/v1/webhooks/ep_1/redeliver", None);
        #[cfg(feature = "lists")]
        check("/v1/webhooks/ep_1/attempts", Some(OfWebhook::Attempts));
        #[cfg(not(feature = "lists"))]
        check("/v1/webhooks/ep_1/attempts", None);
        check("/v1/webhooks/ep_1/test/", None);
        let itself = Resource::Webhook("x", OfWebhook::Itself);
        assert!(itself.methods().has(Method::Patch));
    }
}
