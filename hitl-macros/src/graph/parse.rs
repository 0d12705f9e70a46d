//! The grammar of `graph!`.
//!
//! ```text
//! graph    = attributes visibility Name "<" State ("," Deps)? ">" "{" statement* "}"
//! statement = chain ";" | node "{" verdict ("," verdict)* "}" | "renamed" name "->" node ";"
//! chain    = ("start" | node) ("->" step)+
//! step     = node | "(" chain ("," chain)+ ")" | "match" expr "{" (pattern ("if" expr)? "=>" chain ",")* "}"
//!          | "for" item "in" list ("," "at_most" "=" number)? "{" chain "}" | "end" | "continue"
//! expr     = Rust, in which "runs" "(" node ")" is a number
//! verdict  = ("reject" | "ask" | "expire") "->" chain
//! ```

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::{
    Attribute, Expr, LitInt, Pat, Path, Result, Token, Type, Visibility, braced,
    ext::IdentExt,
    parenthesized,
    parse::ParseStream,
    token::{Brace, Paren},
};

use super::{bindings::ArmNames, guard::Guard};
use crate::{diagnostics::Errors, names};

pub(crate) struct Graph {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) state: Type,
    pub(crate) deps: Option<Type>,
    pub(crate) statements: Vec<Statement>,
    /// The statements as written.
    pub(crate) body: TokenStream,
}

pub(crate) enum Statement {
    /// `start -> plan -> end;`
    Chain(Vec<Step>),
    /// `execute { reject -> cancel, ask -> draft }`
    Verdicts { node: Path, verdicts: Vec<(Ident, Vec<Step>)> },
    /// `renamed execute -> pay;`
    Renamed { old: Ident, node: Path },
}

pub(crate) enum Step {
    Start(Ident),
    End(Ident),
    /// `continue`: the join of the fork, or of the `for`, that the node before it runs in.
    Continue(Span),
    Node(Path),
    Fork(Span, Vec<Vec<Step>>),
    Match(Match),
    Each(Each),
}

impl Step {
    /// Returns the span for errors about the step.
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Start(word) | Self::End(word) => word.span(),
            Self::Node(path) => names::last(path).map_or_else(Span::call_site, Ident::span),
            Self::Fork(span, _) | Self::Continue(span) => *span,
            Self::Match(found) => found.keyword.span,
            Self::Each(each) => each.keyword.span,
        }
    }
}

pub(crate) struct Match {
    pub(crate) keyword: Token![match],
    pub(crate) scrutinee: Expr,
    pub(crate) arms: Vec<Arm>,
}

pub(crate) struct Arm {
    pub(crate) pattern: Pat,
    pub(crate) guard: Option<Guard>,
    pub(crate) chain: Vec<Step>,
    pub(crate) names: ArmNames,
}

/// `for order in orders, at_most = 4 { look_up -> refund }`
pub(crate) struct Each {
    pub(crate) keyword: Token![for],
    pub(crate) item: Ident,
    pub(crate) list: Ident,
    pub(crate) at_most: Option<usize>,
    pub(crate) body: Vec<Step>,
}

pub(crate) fn graph(input: ParseStream, errors: &mut Errors) -> Result<Graph> {
    const SHAPE: &str = "a graph has the form `pub Name<State, Deps> { start -> node -> end; }`";
    let shape = |e: syn::Error| syn::Error::new(e.span(), SHAPE);
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let name: Ident = input.parse().map_err(shape)?;
    if !input.peek(Token![<]) {
        return Err(syn::Error::new(
            name.span(),
            format!("graph `{name}` needs the type of its state: `{name}<Ticket>`"),
        ));
    }
    input.parse::<Token![<]>()?;
    let state = input.parse().map_err(shape)?;
    let mut deps = None;
    if input.parse::<Option<Token![,]>>()?.is_some() && !input.peek(Token![>]) {
        deps = Some(input.parse().map_err(shape)?);
        input.parse::<Option<Token![,]>>()?;
    }
    input.parse::<Token![>]>().map_err(|e| {
        syn::Error::new(
            e.span(),
            format!("a graph takes the type of its state and at most one type of dependencies: `{name}<State, Deps>`"),
        )
    })?;
    let content;
    if !input.peek(Brace) {
        return Err(syn::Error::new(input.span(), SHAPE));
    }
    braced!(content in input);
    let body = content.fork().parse()?;
    let mut statements = Vec::new();
    while !content.is_empty() {
        match statement(&content) {
            Ok(statement) => statements.push(statement),
            Err(error) => {
                errors.push(error);
                skip(&content);
            }
        }
    }
    if !input.is_empty() {
        errors.at(input.span(), "a `graph!` declares one graph: move this to a `graph!` of its own");
        input.parse::<TokenStream>()?;
    }
    Ok(Graph { attrs, vis, name, state, deps, statements, body })
}

/// Skips to the end of the statement: behind the next `;`.
fn skip(input: ParseStream) {
    while !input.is_empty() {
        if input.parse::<Token![;]>().is_ok() || input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

fn statement(input: ParseStream) -> Result<Statement> {
    // A node may be called `renamed`, but only the keyword is followed by an identifier.
    if input.peek(syn::Ident) && input.peek2(syn::Ident) && input.fork().parse::<Ident>()? == "renamed" {
        return renamed(input);
    }
    if input.peek(Paren) {
        return Err(input.error("branches must follow a node: write `node -> (a, b) -> join;`"));
    }
    if input.peek(Token![match]) {
        return Err(input.error("a `match` must follow a node: write `node -> match field { … };`"));
    }
    if input.peek(Token![continue]) {
        return Err(input.error("`continue` ends a chain: write `node -> continue;`"));
    }
    if input.peek(Token![for]) {
        return Err(
            input.error("a `for` must follow a node: write `node -> for item in list { … } -> join;`")
        );
    }
    let first = step(input)?;
    if input.peek(Brace) {
        let Step::Node(node) = first else {
            return Err(
                input.error("a verdict block belongs to a node: write `execute { reject -> cancel }`")
            );
        };
        let content;
        braced!(content in input);
        let verdicts = parse_inside(&content, verdicts)?;
        input.parse::<Option<Token![;]>>()?;
        return Ok(Statement::Verdicts { node, verdicts });
    }
    if !input.peek(Token![->]) {
        let word = match &first {
            Step::Start(word) | Step::End(word) => word.to_string(),
            Step::Node(path) => names::text(path),
            Step::Continue(_) => "continue".to_owned(),
            Step::Fork(..) | Step::Match(_) | Step::Each(_) => String::new(),
        };
        return Err(input.error(format!(
            "`{word}` must be followed by `-> …;` or by a verdict block, `{{ reject -> … }}`"
        )));
    }
    let mut chain = vec![first];
    rest(input, &mut chain)?;
    if !input.is_empty() && input.parse::<Token![;]>().is_err() {
        return Err(input.error("expected `;` to end the statement, or `->` to continue it"));
    }
    Ok(Statement::Chain(chain))
}

/// Parses `renamed old -> node;`.
fn renamed(input: ParseStream) -> Result<Statement> {
    input.parse::<Ident>()?;
    let old: Ident = input.parse()?;
    if input.parse::<Token![->]>().is_err() {
        return Err(syn::Error::new(
            old.span(),
            format!("`renamed` needs the old and the new name of a node: `renamed {old} -> node;`"),
        ));
    }
    let node = input.parse().map_err(|e: syn::Error| {
        syn::Error::new(e.span(), format!("expected the new name of `{old}`: `renamed {old} -> node;`"))
    })?;
    if !input.is_empty() && input.parse::<Token![;]>().is_err() {
        return Err(input.error("expected `;` to end the statement"));
    }
    Ok(Statement::Renamed { old, node })
}

/// Parses `-> step -> step …`.
fn rest(input: ParseStream, chain: &mut Vec<Step>) -> Result<()> {
    while input.parse::<Option<Token![->]>>()?.is_some() {
        if let Some(Step::Match(found)) = chain.last() {
            return Err(syn::Error::new(
                found.keyword.span,
                "nothing can follow a `match`: continue in its arms, or in statements of the nodes that they lead to",
            ));
        }
        chain.push(step(input)?);
    }
    Ok(())
}

/// Parses a chain inside a fork, an arm or a verdict.
fn chain(input: ParseStream) -> Result<Vec<Step>> {
    let mut chain = vec![step(input)?];
    rest(input, &mut chain)?;
    Ok(chain)
}

fn step(input: ParseStream) -> Result<Step> {
    if input.peek(Paren) {
        let content;
        let paren = parenthesized!(content in input);
        return Ok(Step::Fork(paren.span.open(), parse_inside(&content, branches)?));
    }
    if input.peek(Token![match]) {
        let keyword = input.parse()?;
        let scrutinee = Expr::parse_without_eager_brace(input)?;
        let content;
        braced!(content in input);
        return Ok(Step::Match(Match { keyword, scrutinee, arms: parse_inside(&content, arms)? }));
    }
    if input.peek(Token![for]) {
        return each(input).map(Step::Each);
    }
    if input.peek(Token![continue]) {
        return Ok(Step::Continue(input.parse::<Token![continue]>()?.span));
    }
    let path: Path = input.parse().map_err(|e| {
        syn::Error::new(
            e.span(),
            "expected a node, `end`, branches `(a, b)`, a `match` on a field, or a `for` over one",
        )
    })?;
    Ok(match path.get_ident() {
        Some(word) if word == "start" => Step::Start(word.clone()),
        Some(word) if word == "end" => Step::End(word.clone()),
        _ => Step::Node(path),
    })
}

/// Parses the content of brackets. After an error the rest is skipped, so that it causes no second error.
fn parse_inside<T>(content: ParseStream, read: impl FnOnce(ParseStream) -> Result<T>) -> Result<T> {
    read(content).inspect_err(|_| drop(content.parse::<proc_macro2::TokenStream>()))
}

fn branches(input: ParseStream) -> Result<Vec<Vec<Step>>> {
    let mut branches = Vec::new();
    while !input.is_empty() {
        branches.push(chain(input)?);
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            return Err(input.error("expected `,` between branches"));
        }
    }
    Ok(branches)
}

fn arms(input: ParseStream) -> Result<Vec<Arm>> {
    let mut arms = Vec::new();
    while !input.is_empty() {
        arms.push(arm(input)?);
    }
    Ok(arms)
}

fn arm(input: ParseStream) -> Result<Arm> {
    let pattern = Pat::parse_multi_with_leading_vert(input)?;
    let guard = match input.parse::<Option<Token![if]>>()? {
        Some(_) => Some(Guard::parse(input)?),
        None => None,
    };
    input
        .parse::<Token![=>]>()
        .map_err(|e| syn::Error::new(e.span(), "an arm has the form `pattern => node`"))?;
    let chain = chain(input)?;
    let comma = input.parse::<Option<Token![,]>>()?;
    if comma.is_none() && !input.is_empty() {
        return Err(input.error("expected `,` between arms"));
    }
    let names = ArmNames::new(&pattern, guard.as_ref());
    Ok(Arm { pattern, guard, chain, names })
}

fn each(input: ParseStream) -> Result<Each> {
    const SHAPE: &str = "a `for` has the form `for item in list { node -> node }`";
    let shape = |e: syn::Error| syn::Error::new(e.span(), SHAPE);
    let keyword = input.parse()?;
    let item: Ident = input.parse().map_err(shape)?;
    input.parse::<Token![in]>().map_err(shape)?;
    let list: Ident = input.parse().map_err(shape)?;
    let at_most = match input.parse::<Option<Token![,]>>()? {
        Some(_) => Some(at_most(input)?),
        None => None,
    };
    if !input.peek(Brace) {
        return Err(input.error(format!(
            "a `for` iterates over a whole field of the state: write `for {item} in {list} {{ … }}`, and let a node write `{list}`"
        )));
    }
    let content;
    let brace = braced!(content in input);
    if content.is_empty() {
        return Err(syn::Error::new(
            brace.span.open(),
            format!("the body of the `for` is empty: write `for {item} in {list} {{ node }}`"),
        ));
    }
    Ok(Each { keyword, item, list, at_most, body: parse_inside(&content, body)? })
}

/// Parses the body of a `for`: one chain.
fn body(input: ParseStream) -> Result<Vec<Step>> {
    let chain = chain(input)?;
    if !input.is_empty() {
        return Err(input.error(
            "the body of a `for` is one chain: declare verdicts and other edges of its nodes in separate statements",
        ));
    }
    Ok(chain)
}

/// Parses `at_most = 4`.
fn at_most(input: ParseStream) -> Result<usize> {
    let word = input.call(Ident::parse_any)?;
    if word != "at_most" {
        let hint = match names::near(&word.to_string(), ["at_most"]) {
            Some(near) => format!("did you mean `{near} = 4`?"),
            None => "it takes `at_most = 4`, the maximum number of items that run at once".to_owned(),
        };
        return Err(syn::Error::new(word.span(), format!("a `for` takes no `{word}`: {hint}")));
    }
    let wrong = |span| {
        syn::Error::new(
            span,
            "`at_most` must be a number, the maximum of items that run at once: `at_most = 4`",
        )
    };
    input.parse::<Token![=]>().map_err(|e| wrong(e.span()))?;
    let number: LitInt = input.parse().map_err(|e| wrong(e.span()))?;
    match number.base10_parse() {
        Ok(0) => {
            Err(syn::Error::new(number.span(), "with `at_most = 0` no item would run: the minimum is 1"))
        }
        Ok(at_most) => Ok(at_most),
        Err(_) => Err(wrong(number.span())),
    }
}

fn verdicts(input: ParseStream) -> Result<Vec<(Ident, Vec<Step>)>> {
    let mut verdicts = Vec::new();
    while !input.is_empty() {
        let word = input.call(Ident::parse_any)?;
        if input.parse::<Token![->]>().is_err() {
            return Err(syn::Error::new(
                word.span(),
                format!("verdict `{word}` needs a target: `{word} -> node`"),
            ));
        }
        verdicts.push((word, chain(input)?));
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            return Err(input.error("expected `,` between verdicts"));
        }
    }
    Ok(verdicts)
}
