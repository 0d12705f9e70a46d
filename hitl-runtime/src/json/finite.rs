//! A check for numbers that JSON cannot represent: `serde_json` silently writes NaN and the infinities as `null`.

use std::fmt::Display;

use serde::ser::{self, Serialize};

/// The error for a value that contains NaN or an infinity, with the path.
#[derive(Debug, Default)]
pub(crate) struct NotFinite {
    pub(crate) path: String,
    pub(crate) problem: String,
}

/// Checks that a value, which was serialized to `json`, contains neither NaN nor an infinity.
///
/// # Errors
/// If the value contains one. The error has the path.
pub(crate) fn check<T: Serialize + ?Sized>(value: &T, json: &str) -> Result<(), NotFinite> {
    // Such numbers are written as `null`, so JSON without `null` needs no further check.
    if json.contains("null") { value.serialize(Finite) } else { Ok(()) }
}

impl NotFinite {
    fn inside(self, part: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{part}{dot}{}", self.path), ..self }
    }
}

impl Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.problem),
            path => write!(f, "{path}: {}", self.problem),
        }
    }
}

impl std::error::Error for NotFinite {}

impl ser::Error for NotFinite {
    fn custom<T: Display>(message: T) -> Self {
        Self { path: String::new(), problem: message.to_string() }
    }
}

/// A serializer that only checks the numbers and writes nothing.
struct Finite;

/// The state for the parts of a compound value: the index of the next item, or the current key.
struct Parts {
    next: usize,
    key: String,
}

const PARTS: Parts = Parts { next: 0, key: String::new() };

impl Parts {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NotFinite> {
        let i = self.next;
        self.next += 1;
        item.serialize(Finite).map_err(|error| error.inside(&format!("[{i}]")))
    }
}

fn finite(is_finite: bool, number: impl Display) -> Result<(), NotFinite> {
    if is_finite {
        return Ok(());
    }
    let problem =
        format!("it is {number}, which JSON cannot represent; let the node fail, or make it an `Option`");
    Err(NotFinite { path: String::new(), problem })
}

macro_rules! holds_no_number {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, _: $ty) -> Result<(), NotFinite> { Ok(()) })*
    };
}

impl ser::Serializer for Finite {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    holds_no_number! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str
    }

    fn serialize_f32(self, value: f32) -> Result<(), NotFinite> {
        finite(value.is_finite(), value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), NotFinite> {
        finite(value.is_finite(), value)
    }

    fn serialize_none(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self).map_err(|error| error.inside(variant))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, NotFinite> {
        Ok(PARTS)
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, NotFinite> {
        Ok(PARTS)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, NotFinite> {
        Ok(PARTS)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, NotFinite> {
        Ok(Parts { key: variant.to_owned(), ..PARTS })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, NotFinite> {
        Ok(PARTS)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, NotFinite> {
        Ok(PARTS)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, NotFinite> {
        Ok(Parts { key: variant.to_owned(), ..PARTS })
    }
}

impl ser::SerializeSeq for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NotFinite> {
        self.item(item)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

impl ser::SerializeTuple for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NotFinite> {
        self.item(item)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

impl ser::SerializeTupleStruct for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NotFinite> {
        self.item(item)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

impl ser::SerializeTupleVariant for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NotFinite> {
        self.item(item).map_err(|error| error.inside(&self.key))
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

impl ser::SerializeMap for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotFinite> {
        let key = serde_json::to_value(key).unwrap_or_default();
        self.key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        value.serialize(Finite).map_err(|error| error.inside(&self.key))
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

impl ser::SerializeStruct for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(Finite).map_err(|error| error.inside(name))
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

impl ser::SerializeStructVariant for Parts {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(Finite).map_err(|error| error.inside(name).inside(&self.key))
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    enum Kind {
        One(f64),
        Two(u8, f32),
        Three { rate: Option<f64> },
    }

    #[derive(Serialize)]
    struct Draft {
        prices: Vec<f64>,
        kinds: BTreeMap<u8, Kind>,
        nothing: Option<f64>,
    }

    fn found(prices: Vec<f64>, kind: Kind) -> Option<String> {
        let draft = Draft { prices, kinds: [(7, kind)].into(), nothing: None };
        check(&draft, "null").err().map(|error| error.to_string())
    }

    #[test]
    fn a_nan_or_infinity_is_reported_with_its_path() {
        let fine = || Kind::One(1.0);
        assert_eq!(found(vec![1.0], fine()), None);
        for (at, error) in [
            ("prices[1]: it is NaN", found(vec![1.0, f64::NAN], fine())),
            ("prices[0]: it is -inf", found(vec![f64::NEG_INFINITY], fine())),
            ("kinds.7.One: it is inf", found(vec![], Kind::One(f64::INFINITY))),
            ("kinds.7.Two[1]: it is NaN", found(vec![], Kind::Two(1, f32::NAN))),
            ("kinds.7.Three.rate: it is NaN", found(vec![], Kind::Three { rate: Some(f64::NAN) })),
        ] {
            assert!(error.as_ref().is_some_and(|error| error.starts_with(at)), "{at}: {error:?}");
        }
    }
}
