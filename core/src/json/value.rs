//! Views into a document that has been checked: nothing is copied, nothing recurses.
//!
//! The walk relies on the check for grammar, not for memory: on text that is no JSON it would end
//! early, never panic.

use super::Str;
use super::plain::plain_len;
use core::iter::FusedIterator;

/// Any value of a document.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as text.
    Number(Number<'a>),
    /// A string, still escaped.
    String(Str<'a>),
    /// An array.
    Array(Array<'a>),
    /// An object.
    Object(Object<'a>),
}

/// The value of a whole document.
pub(super) fn document(text: &str) -> Option<Value<'_>> {
    let text = text.trim_ascii();
    // The outermost container ends where the document does, so there is no need to look for its end.
    let inside = text.get(1..text.len().saturating_sub(1));
    match (text.as_bytes().first()?, inside) {
        (b'{', Some(inside)) => Some(Value::Object(Object { inside })),
        (b'[', Some(inside)) => Some(Value::Array(Array { inside })),
        _ => take_value(&mut { text }),
    }
}

/// A number as it stands in the document.
///
/// RFC 8259 section 6 sets no range, so the text is kept and conversion is a step of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Number<'a>(&'a str);

/// A number is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NumberError {
    /// It has a sign, a fraction or an exponent.
    NotAnInteger,
    /// It is an integer too large for its type.
    OutOfRange,
}

impl NumberError {
    /// The error as a short sentence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAnInteger => "the number is no integer without a sign",
            Self::OutOfRange => "the number is too large",
        }
    }
}

impl core::fmt::Display for NumberError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for NumberError {}

impl<'a> Number<'a> {
    /// `text` is a number of a document that has been checked.
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The number's text.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.0
    }

    /// The number, if it is written as a non-negative integer: `1.0`, `1e0` and `-0` are refused.
    ///
    /// # Errors
    ///
    /// [`NumberError`], never a rounded value.
    pub fn as_u64(&self) -> Result<u64, NumberError> {
        let mut value = 0u64;
        for byte in self.0.bytes() {
            if !byte.is_ascii_digit() {
                return Err(NumberError::NotAnInteger);
            }
            value = value
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(u64::from(byte & 0x0f)))
                .ok_or(NumberError::OutOfRange)?;
        }
        Ok(value)
    }

    /// The number, if it is written as an integer, with a minus or without: `1.0` and `1e0` are refused.
    ///
    /// # Errors
    ///
    /// [`NumberError`], never a rounded value.
    pub fn as_i64(&self) -> Result<i64, NumberError> {
        let Some(digits) = self.0.strip_prefix('-') else {
            return i64::try_from(self.as_u64()?).map_err(|_| NumberError::OutOfRange);
        };
        let magnitude = Number(digits).as_u64()?;
        0i64.checked_sub_unsigned(magnitude)
            .ok_or(NumberError::OutOfRange)
    }
}

/// An array of a document.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Array<'a> {
    /// What stands between the brackets.
    inside: &'a str,
}

impl<'a> Array<'a> {
    /// `inside` stands between brackets in a document that has been checked.
    pub(super) const fn new(inside: &'a str) -> Self {
        Self { inside }
    }

    /// What stands between its brackets, as it is written.
    #[must_use]
    pub const fn inside(&self) -> &'a str {
        self.inside
    }

    /// The items in order.
    #[must_use]
    pub const fn items(&self) -> impl FusedIterator<Item = Value<'a>> + Clone + use<'a> {
        Items::of(self)
    }
}

/// The items of an array; see [`Array::items`].
#[derive(Debug, Clone)]
pub(super) struct Items<'a> {
    rest: &'a str,
}

impl<'a> Items<'a> {
    pub(super) const fn of(array: &Array<'a>) -> Self {
        Self { rest: array.inside }
    }

    /// What follows the items that were taken.
    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        skip_space_and(&mut self.rest, b',');
        take_value(&mut self.rest)
    }
}

impl FusedIterator for Items<'_> {}

/// An object of a document.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Object<'a> {
    /// What stands between the braces.
    inside: &'a str,
}

/// A member that was asked for occurs twice.
///
/// RFC 7493 section 2.3: "Objects in I-JSON messages MUST NOT have members with duplicate names."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate<'n> {
    /// The member's name.
    pub name: &'n str,
}

impl core::fmt::Display for Duplicate<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the member {:?} occurs twice", self.name)
    }
}

impl core::error::Error for Duplicate<'_> {}

impl<'a> Object<'a> {
    /// The members in the order of the document, duplicates included.
    #[must_use]
    pub const fn members(
        &self,
    ) -> impl FusedIterator<Item = (Str<'a>, Value<'a>)> + Clone + use<'a> {
        Members { rest: self.inside }
    }

    /// What stands between its braces, as it is written.
    #[must_use]
    pub const fn inside(&self) -> &'a str {
        self.inside
    }

    /// The value of the member `name`, if there is one.
    ///
    /// Looks at all members; for several names [`Object::fields`] does so only once.
    ///
    /// # Errors
    ///
    /// [`Duplicate`] if two members have that name, however it is escaped.
    pub fn get<'n>(&self, name: &'n str) -> Result<Option<Value<'a>>, Duplicate<'n>> {
        let [value] = self.fields([name])?;
        Ok(value)
    }

    /// The values of the members `names`, in that order; members with other names are passed over.
    ///
    /// # Errors
    ///
    /// The first [`Duplicate`] of a name that was asked for.
    pub fn fields<'n, const N: usize>(
        &self,
        names: [&'n str; N],
    ) -> Result<[Option<Value<'a>>; N], Duplicate<'n>> {
        let mut values = [None; N];
        match self.fill(&names, |name| name, &mut values) {
            None => Ok(values),
            Some(name) => Err(Duplicate { name }),
        }
    }

    /// Puts the values of the members `wanted` into their places among `values`. Returns the first one of them that
    /// occurs twice.
    pub(crate) fn fill<'n, T: Copy>(
        &self,
        wanted: &[T],
        name: impl Fn(T) -> &'n str,
        values: &mut [Option<Value<'a>>],
    ) -> Option<T> {
        for (known, value) in self.members() {
            let place = wanted
                .iter()
                .zip(&mut *values)
                .find(|(one, _)| known == name(**one));
            if let Some((one, slot)) = place
                && slot.replace(value).is_some()
            {
                return Some(*one);
            }
        }
        None
    }
}

/// The members of an object; see [`Object::members`].
#[derive(Debug, Clone)]
pub(super) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Str<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        skip_space_and(&mut self.rest, b',');
        let name = take_string(&mut self.rest)?;
        skip_space_and(&mut self.rest, b':');
        Some((name, take_value(&mut self.rest)?))
    }
}

impl FusedIterator for Members<'_> {}

/// Takes white space, one `mark` and white space from the start of `text`, as far as they are there.
fn skip_space_and(text: &mut &str, mark: u8) {
    *text = text.trim_ascii_start();
    if text.as_bytes().first() == Some(&mark) {
        *text = text.get(1..).unwrap_or_default().trim_ascii_start();
    }
}

/// Takes the value at the start of `text`.
fn take_value<'a>(text: &mut &'a str) -> Option<Value<'a>> {
    Some(match text.as_bytes().first()? {
        b'"' => Value::String(take_string(text)?),
        b'{' => Value::Object(Object {
            inside: take_container(text)?,
        }),
        b'[' => Value::Array(Array {
            inside: take_container(text)?,
        }),
        b'n' => take(text, 4).map(|_| Value::Null)?,
        b't' => take(text, 4).map(|_| Value::Bool(true))?,
        b'f' => take(text, 5).map(|_| Value::Bool(false))?,
        _ => {
            let end = text
                .bytes()
                .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
                .unwrap_or(text.len());
            Value::Number(Number(take(text, end)?))
        }
    })
}

/// Takes `len` bytes.
fn take<'a>(text: &mut &'a str, len: usize) -> Option<&'a str> {
    let (taken, rest) = text.split_at_checked(len)?;
    *text = rest;
    Some(taken)
}

/// Takes the string at the start of `text`.
pub(super) fn take_string<'a>(text: &mut &'a str) -> Option<Str<'a>> {
    let inside = text.strip_prefix('"')?;
    let (len, escaped) = closing_quote(inside.as_bytes())?;
    let string = inside.get(..len)?;
    *text = inside.get(len.wrapping_add(1)..)?;
    Some(Str::new(string, escaped))
}

/// Takes the container at the start of `text`, and says what it holds.
fn take_container<'a>(text: &mut &'a str) -> Option<&'a str> {
    let mut depth = 0u32;
    let mut at = 0usize;
    loop {
        match text.as_bytes().get(at)? {
            b'{' | b'[' => depth = depth.wrapping_add(1),
            b'}' | b']' => depth = depth.wrapping_sub(1),
            b'"' => {
                let inside = text.as_bytes().get(at.wrapping_add(1)..)?;
                at = at.wrapping_add(1).wrapping_add(closing_quote(inside)?.0);
            }
            _ => {}
        }
        if depth == 0 {
            let whole = take(text, at.wrapping_add(1))?;
            return whole.get(1..at);
        }
        at = at.wrapping_add(1);
    }
}

/// Where the quote is that ends a string, seen from behind its opening quote, and whether there are
/// escapes before it.
fn closing_quote(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0usize;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..)?;
        let plain = plain_len(rest);
        at = at.wrapping_add(plain);
        match rest.get(plain)? {
            b'"' => return Some((at, escaped)),
            _ => escaped = true,
        }
        at = at.wrapping_add(2);
    }
}
