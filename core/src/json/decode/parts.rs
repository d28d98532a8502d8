//! The parts of objects, arrays and variants, each to become a typed value.

use super::{
    Typed,
    document::{Document, Literal, Place},
    error::{ReadError, ReadErrorKind},
};
use crate::json::{hint::FIRST_MEMBER_FIRST, value::take_string};
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

impl<'de> Document<'de> {
    /// Reads the value that comes next. Whoever reads it may leave it where it stands.
    pub(super) fn value<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, ReadError> {
        let before = self.offset();
        let value = seed.deserialize(Typed(self));
        if self.offset() == before {
            self.skip();
        }
        value
    }

    /// Reads the value that comes next. Where nobody knows yet where an error is, it is here.
    pub(super) fn item<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        let at = self.offset();
        self.value(seed).map_err(|error| error.or_at(None, at))
    }
}

/// In which order the members of an object are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsTheyStand,
    /// Only those of the first name that the type knows; then all of the object's others.
    First,
    /// Only those of another name.
    Others,
}

/// How far the members of an object are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not at all.
    Start,
    /// The name of one was read.
    Named,
    /// The value of one was read.
    Read,
    Ended,
}

/// The members of an object.
pub(super) struct TypedMembers<'d, 'de> {
    document: &'d mut Document<'de>,
    /// The names that the type knows.
    fields: &'static [&'static str],
    order: Order,
    state: State,
    /// Where the first member is.
    inside: Place,
    /// Where the name of the last member is that was taken.
    name: usize,
}

impl<'d, 'de> TypedMembers<'d, 'de> {
    /// The cursor stands before the first member.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn new(
        name: &'static str,
        fields: &'static [&'static str],
        document: &'d mut Document<'de>,
    ) -> Self {
        let mut members = Self {
            fields,
            order: Order::AsTheyStand,
            state: State::Start,
            inside: document.place(),
            name: document.offset(),
            document,
        };
        // Where the one that is wanted first stands first, they come in that order anyway.
        if name == FIRST_MEMBER_FIRST && !members.is_first() {
            members.order = Order::First;
        }
        members
    }

    /// Whether the name is the first one that the type knows.
    fn is_first(&self) -> bool {
        let name = take_string(&mut self.document.from(self.name));
        name.is_some_and(|name| self.fields.first().is_some_and(|first| name == *first))
    }

    /// Goes to the name of the next member, if there is one.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn next_name(&mut self) -> bool {
        loop {
            match self.state {
                State::Ended => return false,
                State::Named => self.document.skip(),
                State::Start | State::Read => {}
            }
            if !self.document.next_part(self.state == State::Start, b'}') {
                if self.order != Order::First {
                    self.state = State::Ended;
                    return false;
                }
                self.order = Order::Others;
                self.state = State::Start;
                self.document.go_back(self.inside);
                continue;
            }
            self.name = self.document.offset();
            let is_wanted = match self.order {
                Order::AsTheyStand => true,
                Order::First => self.is_first(),
                Order::Others => !self.is_first(),
            };
            if is_wanted {
                return true;
            }
            self.behind_name();
        }
    }

    /// Goes on to the value, whoever has read the name or not.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn behind_name(&mut self) {
        if self.document.offset() == self.name {
            self.document.skip();
        }
        self.document.colon();
        self.state = State::Named;
    }

    /// Says where an error is.
    #[cold]
    #[inline(never)]
    fn place(&self, error: ReadError, at: usize) -> ReadError {
        let name = take_string(&mut self.document.from(self.name));
        let mut fields = self.fields.iter();
        let field = fields.find(|field| name.is_some_and(|name| name == **field));
        error.or_at(field.copied(), at)
    }
}

impl<'de> MapAccess<'de> for TypedMembers<'_, 'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        if !self.next_name() {
            return Ok(None);
        }
        match seed.deserialize(Typed(self.document)) {
            Ok(key) => {
                self.behind_name();
                Ok(Some(key))
            }
            Err(error) => Err(self.place(error, self.name)),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        if self.state != State::Named {
            return Err(ReadErrorKind::Missing.into());
        }
        self.state = State::Read;
        let at = self.document.offset();
        let value = self.document.value(seed);
        value.map_err(|error| self.place(error, at))
    }
}

/// The items of an array.
pub(super) struct TypedItems<'d, 'de> {
    document: &'d mut Document<'de>,
    state: State,
}

impl<'d, 'de> TypedItems<'d, 'de> {
    /// The cursor stands before the first item.
    pub(super) const fn new(document: &'d mut Document<'de>) -> Self {
        Self {
            document,
            state: State::Start,
        }
    }
}

impl<'de> SeqAccess<'de> for TypedItems<'_, 'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let is_first = self.state == State::Start;
        if self.state == State::Ended || !self.document.next_part(is_first, b']') {
            self.state = State::Ended;
            return Ok(None);
        }
        self.state = State::Read;
        self.document.item(seed).map(Some)
    }
}

/// A variant of an enum: its name, or an object whose only member has its name.
pub(super) struct Variant<'d, 'de> {
    document: &'d mut Document<'de>,
    has_content: bool,
}

impl<'d, 'de> Variant<'d, 'de> {
    /// The cursor stands before the name.
    pub(super) const fn new(document: &'d mut Document<'de>, has_content: bool) -> Self {
        Self {
            document,
            has_content,
        }
    }

    fn content(self) -> Result<&'d mut Document<'de>, ReadError> {
        match self.has_content {
            true => Ok(self.document),
            false => Err(ReadErrorKind::Type.into()),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ReadError> {
        let variant = self.document.value(seed)?;
        if self.has_content {
            self.document.colon();
        }
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        if self.has_content && self.document.literal() != Some(Literal::Null) {
            return Err(ReadErrorKind::Type.into());
        }
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        self.content()?.value(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        Typed(self.content()?).array(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        Typed(self.content()?).object("", fields, visitor)
    }
}
