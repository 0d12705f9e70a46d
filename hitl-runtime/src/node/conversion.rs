//! Conversions between the type of a field and the type under which a node takes or returns it.
//!
//! A generated call names both types, and method resolution selects the first trait that applies: the types are equal,
//! one dereferences to the other, or they do not fit. Only the last one has an unsatisfied bound, so that rustc reports
//! it with our message, and nothing else. As each `&` of the receiver makes a trait come earlier, generated code calls
//! these methods on `&&&&&Conversion`.

use std::{fmt, marker::PhantomData, ops::Deref};

use serde::{Serialize, de::DeserializeOwned};

use super::{Args, NodeError};
use crate::review::Approved;

/// A reference to a value of type `F` that is wanted as a `P`. `D` is [`Taken`], [`Written`] or [`Bound`].
pub struct Conversion<'a, F, P: ?Sized, D> {
    value: &'a F,
    wanted: PhantomData<fn(&P) -> D>,
}

/// The direction from a field to a parameter.
#[derive(Debug)]
pub struct Taken;

/// The direction from a returned value to a field.
#[derive(Debug)]
pub struct Written;

/// The direction from the binding of an arm to a field.
#[derive(Debug)]
pub struct Bound;

impl<'a, F, P: ?Sized> Conversion<'a, F, P, Taken> {
    /// Takes the value of a field.
    pub fn take(value: &'a F) -> Self {
        Self { value, wanted: PhantomData }
    }
}

impl<'a, F, P> Conversion<'a, F, P, Written> {
    /// Takes a returned value. `_slot` only gives the type of the field.
    pub fn write(_slot: &Option<P>, value: &'a F) -> Self {
        Self { value, wanted: PhantomData }
    }
}

impl<'a, F, P> Conversion<'a, F, P, Bound> {
    /// Takes what an arm binds. `_slot` only gives the type of the field.
    pub fn bind(_slot: &Option<P>, value: &'a F) -> Self {
        Self { value, wanted: PhantomData }
    }
}

/// Conversion of a type to itself.
pub trait SameType<'a, P: ?Sized> {
    /// Returns the value, or what it dereferences to.
    fn convert(&self) -> &'a P;
    /// Returns the value.
    fn same(&self) -> &'a P;
}

impl<'a, P, D> SameType<'a, P> for &&&&Conversion<'a, P, P, D> {
    fn convert(&self) -> &'a P {
        self.value
    }

    fn same(&self) -> &'a P {
        self.value
    }
}

/// Conversion by `Deref`, as of a `String` to a `str`.
pub trait Dereferenced<'a, P: ?Sized> {
    /// Dereferences the value.
    fn convert(&self) -> &'a P;
}

impl<'a, F: Deref<Target = P>, P: ?Sized, D> Dereferenced<'a, P> for &&&Conversion<'a, F, P, D> {
    fn convert(&self) -> &'a P {
        self.value
    }
}

/// Conversion by `Deref` twice, as of a `Box<String>` to a `str`.
pub trait DereferencedTwice<'a, P: ?Sized> {
    /// Dereferences the value twice.
    fn convert(&self) -> &'a P;
}

impl<'a, F, P, D> DereferencedTwice<'a, P> for &&Conversion<'a, F, P, D>
where
    F: Deref<Target: Deref<Target = P>>,
    P: ?Sized,
{
    fn convert(&self) -> &'a P {
        self.value
    }
}

/// Conversion of an array to a slice.
pub trait Sliced<'a, P: ?Sized> {
    /// Returns the array as a slice.
    fn convert(&self) -> &'a P;
}

impl<'a, T, const N: usize, D> Sliced<'a, [T]> for &Conversion<'a, [T; N], [T], D> {
    fn convert(&self) -> &'a [T] {
        self.value
    }
}

/// A parameter of a type that does not fit the field.
pub trait UnlikeField<'a, F, P: ?Sized> {
    /// Is reported by rustc.
    fn convert(&self) -> &'a P
    where
        F: TakenAs<P>;
    /// Is reported by rustc.
    fn same(&self) -> &'a P
    where
        F: TakenAs<P>;
}

impl<'a, F, P: ?Sized> UnlikeField<'a, F, P> for Conversion<'a, F, P, Taken> {
    fn convert(&self) -> &'a P
    where
        F: TakenAs<P>,
    {
        self.value.taken()
    }

    fn same(&self) -> &'a P
    where
        F: TakenAs<P>,
    {
        self.value.taken()
    }
}

/// A parameter of type `Option<F>` for a field of type `F`: the wrong form for a field that may be unwritten.
pub trait WholeOption<'a, F> {
    /// Is reported by rustc.
    fn convert(&self) -> &'a Option<F>
    where
        F: TakenAsOption;
    /// Is reported by rustc.
    fn same(&self) -> &'a Option<F>
    where
        F: TakenAsOption;
}

impl<'a, F> WholeOption<'a, F> for &Conversion<'a, F, Option<F>, Taken> {
    fn convert(&self) -> &'a Option<F>
    where
        F: TakenAsOption,
    {
        self.value.taken_as_option()
    }

    fn same(&self) -> &'a Option<F>
    where
        F: TakenAsOption,
    {
        self.value.taken_as_option()
    }
}

/// A returned value of a type that does not fit the field.
pub trait UnlikeOutput<'a, F, P: ?Sized> {
    /// Is reported by rustc.
    fn convert(&self) -> &'a P
    where
        F: WrittenTo<P>;
}

impl<'a, F, P> UnlikeOutput<'a, F, P> for Conversion<'a, F, P, Written> {
    fn convert(&self) -> &'a P
    where
        F: WrittenTo<P>,
    {
        self.value.written()
    }
}

/// A binding of a type that does not fit the field.
pub trait UnlikeBinding<'a, F, P: ?Sized> {
    /// Is reported by rustc.
    fn convert(&self) -> &'a P
    where
        F: BoundTo<P>;
}

impl<'a, F, P> UnlikeBinding<'a, F, P> for Conversion<'a, F, P, Bound> {
    fn convert(&self) -> &'a P
    where
        F: BoundTo<P>,
    {
        self.value.bound()
    }
}

/// A field that a parameter of type `P` can take. No type implements it.
#[diagnostic::on_unimplemented(
    message = "the node takes a field of type `{Self}` as `{P}`",
    label = "this field of the state is of type `{Self}`",
    note = "take it as `&{Self}`, or change the type of the field in the `#[state]`"
)]
pub trait TakenAs<P: ?Sized> {
    #[doc(hidden)]
    fn taken(&self) -> &P;
}

/// A field that a parameter of type `Option<Self>` can take. No type implements it.
#[diagnostic::on_unimplemented(
    message = "the node takes a field of type `{Self}` as `Option<{Self}>`: take `Option<&{Self}>` if the field may be unwritten, or `&{Self}` if it is written on every path",
    label = "this field of the state is of type `{Self}`, and no `Option`"
)]
pub trait TakenAsOption: Sized {
    #[doc(hidden)]
    fn taken_as_option(&self) -> &Option<Self>;
}

/// A returned value that a field of type `P` can keep. No type implements it.
#[diagnostic::on_unimplemented(
    message = "the node returns `{Self}` for a field of type `{P}`",
    label = "this field of the state is of type `{P}`",
    note = "return `{P}`, name another field in `writes`, or change the type of the field in the `#[state]`"
)]
pub trait WrittenTo<P: ?Sized> {
    #[doc(hidden)]
    fn written(&self) -> &P;
}

/// A binding of an arm that a field of type `P` can keep. No type implements it.
#[diagnostic::on_unimplemented(
    message = "the arm binds `{Self}` to a field of type `{P}`",
    label = "this field of the state is of type `{P}`",
    note = "a name in a pattern writes the field of that name: bind another field, or write `_` if the payload is not needed"
)]
pub trait BoundTo<P: ?Sized> {
    #[doc(hidden)]
    fn bound(&self) -> &P;
}

/// A field that a parameter of type `&Approved<P>` can take. No type implements it.
#[diagnostic::on_unimplemented(
    message = "the node takes a field of type `{Self}` as `Approved<{P}>`",
    label = "this field of the state is of type `{Self}`",
    note = "take it as `&Approved<{Self}>`, or change the type of the field in the `#[state]`"
)]
pub trait ApprovedAs<P> {
    #[doc(hidden)]
    fn approved(value: Result<Approved<Self>, NodeError>) -> Result<Approved<P>, NodeError>
    where
        Self: Sized;
}

/// A field of type `F` that a node takes as an `Approved<P>`. Generated code calls the methods on
/// `&&&SignedField`.
pub struct SignedField<'a, F, P> {
    value: Option<&'a F>,
    wanted: PhantomData<fn() -> P>,
}

impl<'a, F, P> SignedField<'a, F, P> {
    /// Takes the value of a field.
    pub fn take(value: Option<&'a F>) -> Self {
        Self { value, wanted: PhantomData }
    }
}

/// The signed value of a field.
pub trait SignedValue<T> {
    /// Returns the field's value together with its signature.
    ///
    /// # Errors
    /// As [`Args::approved`].
    fn approved<S, D>(&self, args: &Args<'_, S, D>, field: &'static str) -> Result<Approved<T>, NodeError>;
}

impl<T: Serialize + DeserializeOwned> SignedValue<T> for &&SignedField<'_, T, T> {
    fn approved<S, D>(&self, args: &Args<'_, S, D>, field: &'static str) -> Result<Approved<T>, NodeError> {
        args.approved(field, self.value)
    }
}

/// The value of a field whose type serde does not know. `#[state]` reports it, so such a program does not compile.
pub trait OtherValue<T> {
    /// Returns no value.
    ///
    /// # Errors
    /// Always.
    fn approved<S, D>(&self, args: &Args<'_, S, D>, field: &'static str) -> Result<Approved<T>, NodeError>;
}

impl<T> OtherValue<T> for &SignedField<'_, T, T> {
    fn approved<S, D>(&self, _: &Args<'_, S, D>, field: &'static str) -> Result<Approved<T>, NodeError> {
        Err(NodeError::missing(field))
    }
}

/// An `&Approved<…>` of another type than the field.
pub trait UnlikeSigned<F, P> {
    /// Is reported by rustc.
    ///
    /// # Errors
    /// Always.
    fn approved<S, D>(&self, args: &Args<'_, S, D>, field: &'static str) -> Result<Approved<P>, NodeError>
    where
        F: ApprovedAs<P>;
}

impl<F, P> UnlikeSigned<F, P> for SignedField<'_, F, P> {
    fn approved<S, D>(&self, _: &Args<'_, S, D>, field: &'static str) -> Result<Approved<P>, NodeError>
    where
        F: ApprovedAs<P>,
    {
        F::approved(Err(NodeError::missing(field)))
    }
}

impl<F, P: ?Sized, D> fmt::Debug for Conversion<'_, F, P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversion").finish_non_exhaustive()
    }
}

impl<F, P> fmt::Debug for SignedField<'_, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedField").finish_non_exhaustive()
    }
}
