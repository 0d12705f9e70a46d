//! The model of a node: the role of each parameter, and the rules that its signature must keep.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::{Expr, FnArg, GenericParam, Pat, ReturnType, Safety, Type, parse_quote};

use super::{
    args::{Args, Interrupt},
    choice::Choice,
    expression::{Expression, Review},
    parse::{Function, Unparsed, last_segment, peel, referent, type_argument},
};
use crate::{diagnostics::Errors, names, spans};

pub(crate) struct Node {
    pub(crate) function: Function,
    /// The error if the signature cannot be parsed. `function` then stands in for the function as written.
    pub(crate) unparsed: Option<String>,
    pub(crate) name: String,
    pub(crate) args: Args,
    pub(crate) params: Vec<Param>,
    /// The `T` of `Result<T>`; all of the return type where that is an alias without arguments.
    pub(crate) output: Option<Type>,
    /// The field that is signed before the node runs, and its type.
    pub(crate) signed: Option<(String, Type)>,
    /// The condition of the review.
    pub(crate) condition: Option<Expression>,
    /// The role that the review requires.
    pub(crate) role: Option<Choice>,
    /// The time until the review expires.
    pub(crate) expires: Option<Choice>,
    /// The risk of the action under review.
    pub(crate) risk: Option<Choice>,
    /// The parameters that the review does not show, with the message that holds if they are fields.
    pub(crate) unshown: Vec<(Ident, String)>,
    /// `true` if an error is reported here of which the graph would report consequences: the fields that the node writes
    /// are unknown, a review is missing, or a signature has no effect.
    pub(crate) is_incomplete: bool,
}

pub(crate) struct Param {
    pub(crate) name: Ident,
    pub(crate) field: String,
    pub(crate) ty: Type,
    pub(crate) role: Role,
}

impl Param {
    /// Returns the declaration that takes the same field as signed: `payment: &Approved<Payment>`.
    fn as_signed(&self) -> String {
        let unwrapped = match self.role {
            Role::Optional => last_segment(&self.ty).and_then(type_argument).unwrap_or(&self.ty),
            _ => &self.ty,
        };
        let ty = match peel(referent(unwrapped).unwrap_or(unwrapped)) {
            // The type of the field, of which a `&str` or a slice is a borrow.
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            Type::Slice(slice) => format!("Vec<{}>", names::text(&slice.elem)),
            ty => names::text(ty),
        };
        format!("{}: &Approved<{ty}>", self.field)
    }
}

/// The role of a parameter. It depends on the spelling of the type, because a macro does not know the type itself.
pub(crate) enum Role {
    /// `&Approved<T>`.
    Approved(Type),
    /// `&T`.
    Required,
    /// `T`.
    Owned,
    /// `Option<&T>`.
    Optional,
    /// `Deps<T>`.
    Deps(Type),
    /// `&Cx`.
    Cx,
    /// `&Rejection`, or `Option<&Rejection>`.
    Rejection { required: bool },
    /// `&Question`, or `Option<&Question>`.
    Question { required: bool },
}

impl Role {
    /// Returns whether a verdict provides it: a `Rejection` or a `Question`.
    pub(crate) fn is_payload(&self) -> bool {
        matches!(self, Self::Rejection { .. } | Self::Question { .. })
    }

    /// Returns whether the parameter is a field.
    pub(crate) fn is_field(&self) -> bool {
        matches!(self, Self::Approved(_) | Self::Required | Self::Owned | Self::Optional)
    }
}

impl Node {
    pub(crate) fn new(mut function: Function, args: Args, errors: &mut Errors) -> Self {
        let name = names::plain(&function.sig.ident);
        check_signature(&function, &name, errors);
        let params = function.sig.inputs.iter().filter_map(|input| param(input, &name, errors)).collect();
        // A `self` is reported, and rustc would report it again.
        function.sig.inputs =
            function.sig.inputs.into_iter().filter(|input| !matches!(input, FnArg::Receiver(_))).collect();
        let output = output_type(&function, &name, &args, errors);
        let is_incomplete = args.is_writes_invalid || args.writes.is_empty() && returns_value(&function);
        let mut node = Self {
            function,
            unparsed: None,
            name,
            args,
            params,
            output,
            signed: None,
            condition: None,
            role: None,
            expires: None,
            risk: None,
            unshown: Vec::new(),
            is_incomplete,
        };

        node.find_signed_field(errors);
        node.find_expressions(errors);
        node.unshown = node.check_shown(errors);
        node.check_effect(errors);
        node
    }

    /// Creates a node in place of a function whose signature cannot be parsed. It takes nothing, so that a graph with it
    /// is proved, except for what the other nodes lack.
    pub(crate) fn unparsed(function: &Unparsed, mut args: Args, error: String) -> Self {
        (args.effect, args.interrupt) = (None, None);
        let (attrs, vis, ident) = (&function.attrs, &function.vis, &function.name);
        let payload = |name: &str, role| Param {
            name: Ident::new(name, Span::call_site()),
            field: name.to_owned(),
            ty: parse_quote!(()),
            role,
        };
        let payloads = [
            payload("rejection", Role::Rejection { required: false }),
            payload("question", Role::Question { required: false }),
        ];
        Self {
            function: Function {
                attrs: attrs.clone(),
                vis: vis.clone(),
                sig: parse_quote!(async fn #ident()),
                body: TokenTree::Group(Group::new(Delimiter::Brace, TokenStream::new())),
            },
            unparsed: Some(error),
            name: names::plain(ident),
            args,
            params: payloads.into(),
            output: None,
            signed: None,
            condition: None,
            role: None,
            expires: None,
            risk: None,
            unshown: Vec::new(),
            is_incomplete: false,
        }
    }

    fn approved(&self) -> impl Iterator<Item = (&Param, &Type)> {
        self.params.iter().filter_map(|param| match &param.role {
            Role::Approved(ty) => Some((param, ty)),
            _ => None,
        })
    }

    /// Returns the parameters that are fields taken unsigned.
    fn plain(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|p| matches!(p.role, Role::Required | Role::Owned | Role::Optional))
    }

    /// Determines the field that the review is about.
    fn find_signed_field(&mut self, errors: &mut Errors) {
        let Some(interrupt) = &self.args.interrupt else { return };
        let name = &self.name;
        let approved: Vec<_> = self.approved().collect();
        let found = match (&interrupt.review, approved.as_slice()) {
            (_, []) => {
                self.report_unsigned(interrupt.review.as_ref(), errors);
                None
            }
            (None, [only]) => Some(*only),
            (None, [_, second, ..]) => {
                errors.at(
                    second.0.name.span(),
                    format!(
                        "node `{name}` takes {} as `&Approved<…>`, but its review is of one field: name it, `#[interrupt_before(review = {})]`",
                        names::list(approved.iter().map(|(p, _)| p.field.as_str())),
                        approved[0].0.field
                    ),
                );
                None
            }
            (Some(review), all) => {
                let found = all.iter().find(|(param, _)| param.field == names::plain(review)).copied();
                if found.is_none() {
                    errors.at(
                        review.span(),
                        format!(
                            "node `{name}` has no parameter `{review}: &Approved<…>`: `review` must name a field that it takes as signed, {}",
                            names::list(all.iter().map(|(p, _)| p.field.as_str()))
                        ),
                    );
                }
                found
            }
        };
        self.signed = found.map(|(param, ty)| (param.field.clone(), ty.clone()));
    }

    /// Determines the expressions of the review.
    fn find_expressions(&mut self, errors: &mut Errors) {
        let Some(Interrupt { when, role, expires, risk, show, .. }) = &self.args.interrupt else { return };
        let signed = self.signed.as_ref().map_or("", |(field, _)| field);
        let review = Review { node: &self.name, signed, show };
        // Without a signed field, which is reported, no expression could read anything.
        let when = when.as_ref().filter(|_| !signed.is_empty());
        let condition = when.and_then(|when| Expression::condition(when, &review, errors));
        let role = role.as_ref().and_then(|role| Choice::role(role, &review, errors));
        let expires = expires.as_ref().and_then(|expires| Choice::expires(expires, &review, errors));
        if let (Some(_), Some(Expr::Path(risk))) = (&condition, risk)
            && risk.path.is_ident("high")
        {
            errors.on(
                risk,
                format!(
                    "the action before node `{}` is always of high risk, so a person always signs it and `when` has no effect: remove `when`, or choose the risk, `risk = if … {{ high }} else {{ low }}`",
                    self.name
                ),
            );
        }
        let risk = risk.as_ref().and_then(|risk| Choice::risk(risk, &review, errors));
        (self.condition, self.role, self.expires, self.risk) = (condition, role, expires, risk);
    }

    /// Reports a review of a field that the node does not take as signed.
    fn report_unsigned(&self, review: Option<&Ident>, errors: &mut Errors) {
        let name = &self.name;
        let plain: Vec<_> = self.plain().collect();
        let draft = plain
            .iter()
            .find(|p| review.is_some_and(|review| names::plain(review) == p.field))
            .or_else(|| plain.iter().find(|p| p.field == "draft"))
            .or(match plain.as_slice() {
                [only] => Some(only),
                _ => None,
            });
        match draft {
            Some(param) => errors.on(
                &param.ty,
                format!(
                    "node `{name}` has a review, but takes `{}` unsigned: write `{}`, which only an approval creates",
                    param.field,
                    param.as_signed()
                ),
            ),
            None => {
                let fix = match (review, plain.first()) {
                    (Some(review), _) => format!("add a parameter `{}: &Approved<…>`", names::plain(review)),
                    (None, Some(first)) => format!("take the field that the review signs as `&Approved<…>`, for instance `{}`", first.as_signed()),
                    (None, None) => "add a parameter for the field that the review signs, `field: &Approved<…>`".to_owned(),
                };
                errors.at(
                    self.function.sig.ident.span(),
                    format!("node `{name}` has a review, but takes no signed field: {fix}"),
                );
            }
        }
    }

    /// Checks that every field the node reads beside the draft is shown with it or declared unsigned. Returns the
    /// parameters that are neither, if they are fields.
    fn check_shown(&self, errors: &mut Errors) -> Vec<(Ident, String)> {
        let mut unshown = Vec::new();
        if self.args.interrupt.is_none() && self.approved().next().is_some() {
            for Param { name: at, field, .. } in self.params.iter().filter(|param| param.role.is_payload()) {
                errors.at(
                    at.span(),
                    format!("node `{}` runs on an earlier signature and reads `{field}`, which no signature covers: let an earlier node write it to a field that the review shows", self.name),
                );
            }
        }
        let (Some(interrupt), Some((signed, _))) = (&self.args.interrupt, &self.signed) else {
            return unshown;
        };
        let (name, Interrupt { covers, show, unsigned, .. }) = (&self.name, interrupt);
        let names = |list: &[Ident], field: &str| list.iter().any(|ident| names::plain(ident) == field);
        // A `Rejection` or a `Question` is what a person said, and is not signed.
        let is_read = |p: &&Param| {
            matches!(p.role, Role::Required | Role::Owned | Role::Optional) || p.role.is_payload()
        };
        let plain: Vec<_> = self.params.iter().filter(is_read).collect();
        for (word, list) in [("show", show), ("unsigned", unsigned)] {
            for ident in list.iter().filter(|ident| names::plain(ident) == *signed) {
                errors.at(
                    ident.span(),
                    format!("`{signed}` is the field that the review before node `{name}` signs: remove it from `{word}`"),
                );
            }
        }
        for ident in unsigned {
            let field = names::plain(ident);
            if names(show, &field) {
                errors.at(
                    ident.span(),
                    format!("`{field}` is in `show` before node `{name}`, and so it is signed: remove it from `show` or from `unsigned`"),
                );
            } else if covers.is_empty() && field != *signed && !plain.iter().any(|param| param.field == field)
            {
                errors.at(
                    ident.span(),
                    format!("node `{name}` does not read `{field}`: remove it from `unsigned`"),
                );
            }
        }
        for Param { name: at, field, role, .. } in plain {
            if names(unsigned, field) || names(show, field) && !role.is_payload() {
                continue;
            }
            if role.is_payload() {
                errors.at(
                    at.span(),
                    format!(
                        "node `{name}` reads `{field}`, which no signature covers: let an earlier node write it to a field that the review shows, or add `unsigned({field})` if it needs no signature"
                    ),
                );
                continue;
            }
            unshown.push((
                at.clone(),
                format!(
                    "node `{name}` reads `{field}`, but its review does not show it: add `show = ({field})` to `#[interrupt_before]`, take it as `{field}: &Approved<…>`, signed in a review of its own, or add `unsigned({field})` if it needs no signature"
                ),
            ));
        }
        unshown
    }

    /// Checks the rules for effects.
    fn check_effect(&mut self, errors: &mut Errors) {
        let (name, args) = (&self.name, &self.args);
        let mut is_incomplete = self.is_incomplete;
        let reviewed = args.interrupt.is_some();
        if let (Some(effect), None, false) =
            (args.effect, args.low_risk, reviewed || self.approved().next().is_some())
        {
            let plain: Vec<_> = self.plain().collect();
            let signed = match (plain.iter().find(|param| param.field == "draft"), plain.as_slice()) {
                (Some(param), _) | (None, [param]) => format!("`{}`", param.as_signed()),
                (None, [first, ..]) => format!(
                    "the field that a person signs as `&Approved<…>`, for instance `{}`",
                    first.as_signed()
                ),
                (None, []) => "the field that a person signs as `&Approved<…>`".to_owned(),
            };
            errors.at(
                effect,
                format!(
                    "effect node `{name}` can be reached with no review: take {signed}, with `#[interrupt_before]` here or on an earlier node, or declare `risk = low`"
                ),
            );
            is_incomplete = true;
        }
        if reviewed && args.effect.is_none() {
            // Without `effect`, a crash could repeat an action that was signed once.
            errors.at(
                self.function.sig.ident.span(),
                format!("node `{name}` has a review, but is not an effect, so a crash could repeat it: add `effect`, and `idempotent` if a second run changes nothing"),
            );
        }
        if let (None, None, Some((param, ty))) = (args.effect, &args.interrupt, self.approved().next()) {
            errors.on(
                &param.ty,
                format!(
                    "node `{name}` takes `{field}` as `&Approved<…>`, but only an effect can spend a signature: take `{field}: &{}`, or add `effect`",
                    names::text(ty),
                    field = param.field
                ),
            );
            is_incomplete = true;
        }
        if let (None, Some(span)) = (args.effect, args.low_risk) {
            errors.at(span, format!("node `{name}` has `risk = low`, but is not an effect: remove `risk = low`, or add `effect`"));
        }
        if let (Some(span), true) = (args.low_risk, reviewed) {
            errors.at(span, format!("node `{name}` has `risk = low`, which means no review, and `#[interrupt_before]`: keep one of them"));
        }
        if let (None, None, Some(risk)) = (args.effect, args.low_risk, &args.risk) {
            errors.at(
                risk.span(),
                format!(
                    "node `{name}` has `risk = {risk}`, but is not an effect: remove it, or add `effect`"
                ),
            );
        }
        if let (None, Some(span)) = (args.effect, args.idempotent) {
            errors.at(span, format!("node `{name}` has `idempotent`, but is not an effect, and other nodes may run twice anyway: remove `idempotent`, or add `effect`"));
        }
        if let (Some(_), None, Some((span, 1..))) = (args.effect, args.idempotent, args.retries) {
            errors.at(
                span,
                format!(
                    "effect node `{name}` cannot have `retries`, because a failed attempt may have had its effect: pass `cx.idempotency_key()` on and declare `idempotent`, or remove `retries`"
                ),
            );
        }
        self.is_incomplete = is_incomplete;
    }
}

/// Reports parts of a signature that a node cannot have.
fn check_signature(function: &Function, name: &str, errors: &mut Errors) {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        errors.at(sig.fn_token.span, format!("node `{name}` is not async: write `async fn {name}`"));
    }
    if !matches!(sig.safety, Safety::Default) {
        errors.at(sig.fn_token.span, format!("node `{name}` is unsafe, but the runtime calls it and cannot uphold its preconditions: write a safe `async fn`"));
    }
    for param in &sig.generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            errors.on(
                &lifetime.lifetime,
                format!("node `{name}` has the lifetime parameter `{}`, but a node cannot have one: remove it, `message: &str`", lifetime.lifetime),
            );
        }
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, format!("node `{name}` cannot be variadic: remove `...`"));
    }
    if ["start", "end"].contains(&name) {
        errors.at(sig.ident.span(), format!("`{name}` is a keyword of `graph!`: rename the node"));
    }
}

fn param(input: &FnArg, node: &str, errors: &mut Errors) -> Option<Param> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            errors.at(
                receiver.self_token.span,
                format!("node `{node}` takes `self`, but a node is a free function: take what it needs besides the state as `Deps<…>`"),
            );
            return None;
        }
    };
    let name = match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
        other => {
            errors.on(
                other,
                format!(
                    "a parameter of node `{node}` must be a plain name, that of the field that it reads: write `field: &T`"
                ),
            );
            return None;
        }
    };
    let field = names::plain(&name);
    let role = role(&typed.ty, &field, node, errors);
    Some(Param { name, field, ty: (*typed.ty).clone(), role })
}

fn role(ty: &Type, field: &str, node: &str, errors: &mut Errors) -> Role {
    if let Type::Reference(reference) = peel(ty)
        && let Some(mutability) = reference.mutability
    {
        errors.at(
            mutability.span,
            format!("node `{node}` cannot change `{field}` in place: take `&{}` and return the new value, with `writes = {field}`", names::text(&reference.elem)),
        );
        return Role::Required;
    }
    if let Some(inner) = referent(ty) {
        return borrowed(ty, inner, errors);
    }
    let Some(segment) = last_segment(ty) else { return Role::Owned };
    match (segment.ident.to_string().as_str(), type_argument(segment)) {
        ("Approved", Some(inner)) => {
            errors.on(
                ty,
                format!(
                    "a node borrows a signature for one call, and can neither keep it nor use it twice: take `&{}`",
                    names::text(peel(ty))
                ),
            );
            Role::Approved(inner.clone())
        }
        ("Deps", Some(inner)) => Role::Deps(inner.clone()),
        ("Option", Some(inner)) if signed(referent(inner).unwrap_or(inner)).is_some() => {
            let of = signed(referent(inner).unwrap_or(inner)).map(names::text).unwrap_or_default();
            errors.on(
                ty,
                format!("node `{node}` takes `{field}` as an optional `Approved`, but needs a signature on every path: take `&Approved<{of}>`, or `Option<&{of}>` to read the field unsigned"),
            );
            // Not treated as a field from here on, so that this mistake causes no other message.
            Role::Cx
        }
        ("Option", Some(inner)) if is_runtime_type(inner) => optional_runtime_type(ty, inner, errors),
        ("Option", Some(inner)) if referent(inner).is_some() => Role::Optional,
        _ => match runtime_type(Some(ty)) {
            Some(RuntimeType::Rejection) => {
                errors.on(ty, "a node borrows the rejection: take `&Rejection`");
                Role::Rejection { required: true }
            }
            Some(RuntimeType::Question) => {
                errors.on(ty, "a node borrows the question: take `&Question`");
                Role::Question { required: true }
            }
            Some(RuntimeType::Cx) => {
                errors.on(ty, "a node borrows its context: take `&Cx`");
                Role::Cx
            }
            None => Role::Owned,
        },
    }
}

/// Returns the role of a `&T`.
fn borrowed(ty: &Type, inner: &Type, errors: &mut Errors) -> Role {
    match runtime_type(Some(inner)) {
        Some(RuntimeType::Rejection) => return Role::Rejection { required: true },
        Some(RuntimeType::Question) => return Role::Question { required: true },
        Some(RuntimeType::Cx) => return Role::Cx,
        None => {}
    }
    let Some(segment) = last_segment(inner) else { return Role::Required };
    match (segment.ident.to_string().as_str(), type_argument(segment)) {
        ("Approved", Some(signed)) => Role::Approved(signed.clone()),
        // A reference to the whole `Option`.
        ("Option", Some(inner)) if is_runtime_type(inner) => optional_runtime_type(ty, inner, errors),
        ("Deps", Some(part)) => {
            errors.on(ty, format!("`Deps` is a shared pointer: take `{}` by value", names::text(inner)));
            Role::Deps(part.clone())
        }
        _ => Role::Required,
    }
}

/// Returns whether the `T` of an `Option<T>` is a type of the runtime, or a reference to one.
fn is_runtime_type(inner: &Type) -> bool {
    let bare = referent(inner).unwrap_or(inner);
    runtime_type(Some(bare)).is_some() || last_segment(bare).is_some_and(|segment| segment.ident == "Deps")
}

/// Returns the role of an optional type of the runtime. `ty` is all of the parameter's type.
fn optional_runtime_type(ty: &Type, inner: &Type, errors: &mut Errors) -> Role {
    let bare = referent(inner).unwrap_or(inner);
    let is_borrowed = referent(inner).is_some() && referent(ty).is_none();
    let mut check_borrowed = |what: &str| {
        if !is_borrowed {
            errors.on(ty, format!("a node borrows the {what}: take `Option<&{}>`", names::text(bare)));
        }
    };
    match runtime_type(Some(bare)) {
        Some(RuntimeType::Rejection) => {
            check_borrowed("rejection");
            Role::Rejection { required: false }
        }
        Some(RuntimeType::Question) => {
            check_borrowed("question");
            Role::Question { required: false }
        }
        Some(RuntimeType::Cx) => {
            errors.on(ty, "a node always has a `Cx`: take `&Cx`");
            Role::Cx
        }
        None => {
            errors.on(ty, format!("a node always has its dependencies: take `{}`", names::text(bare)));
            match last_segment(bare).and_then(type_argument) {
                Some(part) => Role::Deps(part.clone()),
                None => Role::Cx,
            }
        }
    }
}

/// Returns the `T` of `Approved<T>`.
fn signed(ty: &Type) -> Option<&Type> {
    last_segment(ty).filter(|segment| segment.ident == "Approved").and_then(type_argument)
}

enum RuntimeType {
    Rejection,
    Question,
    Cx,
}

fn runtime_type(ty: Option<&Type>) -> Option<RuntimeType> {
    match last_segment(ty?)?.ident.to_string().as_str() {
        "Rejection" => Some(RuntimeType::Rejection),
        "Question" => Some(RuntimeType::Question),
        "Cx" => Some(RuntimeType::Cx),
        _ => None,
    }
}

/// Returns the `T` of `-> Result<T>`, and checks it against `writes`.
fn output_type(function: &Function, name: &str, args: &Args, errors: &mut Errors) -> Option<Type> {
    let wanted = match args.writes.as_slice() {
        [] => "Result<()>",
        [_] => "Result<T>",
        _ => "Result<(A, B)>",
    };
    let ReturnType::Type(_, ty) = &function.sig.output else {
        let span = function.sig.paren_token.span.close();
        errors.at(
            span,
            format!("node `{name}` returns nothing, but a node must return a `Result`: write `-> {wanted}`"),
        );
        return None;
    };
    let Some(segment) =
        last_segment(ty).filter(|segment| segment.ident == "Result" || segment.ident == "NodeResult")
    else {
        errors.on(
            ty,
            format!(
                "node `{name}` returns `{}`, but a node must return a `Result`: write `-> {wanted}`",
                names::text(ty)
            ),
        );
        return None;
    };
    let output = type_argument(segment).unwrap_or(ty);
    let fields = args.writes.iter().map(names::plain).collect::<Vec<_>>();
    match (peel(output), fields.len()) {
        (Type::Tuple(tuple), count @ 2..) if tuple.elems.len() != count => errors.on(
            output,
            format!(
                "node `{name}` returns {} values, but `writes` names {count} fields: {}",
                tuple.elems.len(),
                names::list(fields.iter().map(String::as_str))
            ),
        ),
        // Which fields it writes is unknown, and reported.
        (_, 0) if args.is_writes_invalid => {}
        // `Result` without arguments is an alias that contains its type.
        (_, 0) if returns_value(function) => errors.on(
            output,
            format!(
                "node `{name}` returns `{}`, but has no `writes`: add `writes = field`, or return `Result<()>`",
                names::text(output)
            ),
        ),
        _ => {}
    }
    Some(output.clone())
}

/// Returns whether the return type is a `Result<T>` with another `T` than `()`.
fn returns_value(function: &Function) -> bool {
    let ReturnType::Type(_, ty) = &function.sig.output else { return false };
    let value = last_segment(ty).and_then(type_argument);
    value.is_some_and(|ty| !matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty()))
}

impl Node {
    /// Returns the first and the last span of the type returned for one field, for errors about it.
    pub(crate) fn output_ends(&self, field: usize) -> (Span, Span) {
        let whole = self.output.as_ref();
        let part = match whole.map(peel) {
            Some(Type::Tuple(tuple)) if self.args.writes.len() > 1 => tuple.elems.get(field).or(whole),
            _ => whole,
        };
        part.map_or_else(|| (self.output_span(), self.output_span()), spans::ends)
    }

    /// Returns the span for errors about the returned value.
    pub(crate) fn output_span(&self) -> Span {
        self.output.as_ref().map_or_else(|| self.function.sig.ident.span(), spans::first)
    }
}
