//! The attribute `#[entrypoint]`: a program around a graph.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ItemFn, Path, ReturnType, parse::Parser};

use crate::diagnostics::Errors;

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    // A `main` for the case of an error, so that rustc does not report a missing one as well.
    let instead = quote!(
        #[allow(dead_code)]
        fn main() {}
    );
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error #instead);
        }
    };
    let mut errors = Errors::default();
    let graph = graph(args, &function, &mut errors);
    check_signature(&function, &mut errors);
    if !errors.is_empty() {
        return quote!(#[allow(dead_code)] #function #errors #instead);
    }
    let name = &function.sig.ident;
    let call = if function.sig.asyncness.is_some() { quote!(#name().await) } else { quote!(#name()) };
    quote! {
        #function

        fn main() -> ::std::process::ExitCode {
            ::hitl::cli::main::<#graph, _, _>(|| async { #call })
        }
    }
}

/// Parses the argument: the path of the graph.
fn graph(args: TokenStream, function: &ItemFn, errors: &mut Errors) -> TokenStream {
    if args.is_empty() {
        errors.on(
            &function.sig.ident,
            "`#[entrypoint]` needs the graph that the program runs: `#[entrypoint(RefundAgent)]`",
        );
        return TokenStream::new();
    }
    match Path::parse_mod_style.parse2(args) {
        Ok(path) => path.to_token_stream(),
        Err(error) => {
            errors.at(error.span(), "expected the path of the graph, as in `#[entrypoint(RefundAgent)]`");
            TokenStream::new()
        }
    }
}

/// Checks that the function takes no parameters, has no generics and returns something.
fn check_signature(function: &ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if sig.ident == "main" {
        errors
            .on(&sig.ident, "`#[entrypoint]` generates `main`: rename this function, for example to `desk`");
    }
    if !sig.inputs.is_empty() {
        errors.on(
            &sig.inputs,
            "the function of `#[entrypoint]` takes no parameters: read settings from the environment",
        );
    }
    if !sig.generics.params.is_empty() {
        errors.on(&sig.generics, "the function of `#[entrypoint]` cannot be generic: name the types");
    }
    if matches!(sig.output, ReturnType::Default) {
        errors.on(
            &sig.ident,
            "the function of `#[entrypoint]` must return the dependencies of the graph in a `hitl::NodeResult`: `Result<Desk>`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(args: &str, item: &str) -> String {
        expand(args.parse().unwrap(), item.parse().unwrap()).to_string()
    }

    #[test]
    fn main_creates_the_dependencies_lazily() {
        let made = of("desk::Refunds", "async fn desk() -> Result<Desk> { Desk::open().await }");
        assert!(made.contains(":: hitl :: cli :: main :: < desk :: Refunds , _ , _ >"), "{made}");
        assert!(made.contains("desk () . await"), "{made}");
        assert!(of("Refunds", "fn desk() -> Result<()> { Ok(()) }").contains("async { desk () }"));
    }

    #[test]
    fn each_error_has_one_message_and_main_is_emitted() {
        for (args, item, words) in [
            ("", "fn desk() -> Result<()> { Ok(()) }", "needs the graph"),
            ("\"Refunds\"", "fn desk() -> Result<()> { Ok(()) }", "expected the path of the graph"),
            ("Refunds", "fn main() -> Result<()> { Ok(()) }", "generates `main`"),
            ("Refunds", "fn desk(port: u16) -> Result<()> { Ok(()) }", "takes no parameters"),
            ("Refunds", "fn desk<T>() -> Result<T> { todo!() }", "cannot be generic"),
            ("Refunds", "fn desk() {}", "must return the dependencies"),
            ("Refunds", "struct Desk;", "expected"),
        ] {
            let made = of(args, item);
            assert!(made.contains(words) && made.contains("fn main"), "{args} {item}: {made}");
        }
    }
}
