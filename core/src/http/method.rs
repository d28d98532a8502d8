//! The methods of requests.

/// What a request asks for (RFC 9110, section 9). Methods are case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Method {
    /// GET.
    Get = 0,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH (RFC 5789).
    Patch,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// Any other token, TRACE among them. A server answers 501 (RFC 9110, section 9.1). CONNECT is
    /// refused instead.
    Other,
}

impl Method {
    /// Every method with a name.
    const KNOWN: [Self; 7] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
    ];

    pub(super) fn from_token(token: &[u8]) -> Self {
        let known = Self::KNOWN.iter();
        let mut found = known.filter(|method| method.as_str().as_bytes() == token);
        found.next().copied().unwrap_or(Self::Other)
    }

    /// The method as it is written in a request line; empty for [`Method::Other`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }

    /// Whether it is only for reading (RFC 9110, section 9.2.1).
    #[must_use]
    pub(crate) const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}
