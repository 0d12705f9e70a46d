//! A program without imports, with its own types under the names of the standard prelude.
#![deny(warnings)]
#![allow(dead_code)]

#[hitl::draft]
#[derive(Clone, garde::Validate)]
pub struct Letter {
    #[garde(skip)]
    text: String,
}

#[no_implicit_prelude]
mod strict {
    struct Result;
    struct Option;
    struct String;
    struct Vec;
    struct Box;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Default;
    struct Clone;
    struct Send;
    struct Sync;
    mod core {}
    mod std {}
    mod serde {}

    use super::Letter;

    #[::hitl::state]
    pub struct Mail {
        #[input]
        address: ::std::string::String,
        #[reduce(append)]
        lines: ::std::vec::Vec<::std::string::String>,
        letter: Letter,
        #[output]
        sent: ::core::primitive::bool,
    }

    #[::hitl::node(Mail, writes = (lines, letter))]
    async fn write(address: &::core::primitive::str, lines: ::core::option::Option<&::std::vec::Vec<::std::string::String>>) -> ::hitl::NodeResult<(::std::vec::Vec<::std::string::String>, Letter)> {
        let _ = lines;
        ::core::result::Result::Ok((
            ::std::vec::Vec::new(),
            Letter { text: ::std::string::ToString::to_string(address) },
        ))
    }

    #[::hitl::interrupt_before(role = "postmaster")]
    #[::hitl::node(Mail, writes = sent, effect)]
    async fn send(letter: &::hitl::Approved<Letter>, cx: &::hitl::Cx) -> ::hitl::NodeResult<::core::primitive::bool> {
        let _ = (letter, cx);
        ::core::result::Result::Ok(true)
    }

    #[::hitl::node(Mail, writes = sent)]
    async fn drop(rejection: &::hitl::Rejection) -> ::hitl::NodeResult<::core::primitive::bool> {
        let _ = rejection;
        ::core::result::Result::Ok(false)
    }

    ::hitl::graph! {
        Post<Mail> {
            start -> write -> match letter.text.len() { 0 => write, _ => send };
            send { reject -> drop }
            send -> end;
            drop -> end;
        }
    }
}

fn main() {}
