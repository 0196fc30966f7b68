//! Runs the library and the binary against a Salesforce on this machine.

mod cli;
mod examples;
mod flows;
mod hints;
mod login;
mod origin;
mod properties;
mod query;
mod recipes;
mod replies;
mod retries;
mod session;
mod settings;
mod soak;
mod support;
mod tls;
