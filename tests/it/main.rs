//! Runs the library and the binary against a Salesforce on this machine.

mod support;

// Logging in.
mod client_credentials;
mod code_credentials;
mod jwt_bearer;
mod jwt_keys;
mod login;
mod login_replies;
mod password;
mod token;

// A session.
mod expiry;
mod headers;
mod open;
mod query;
mod requests;
mod revoke;
mod run;

// The house.
mod rooms;

// Rules that hold for both.
mod deadlines;
mod origin;
mod properties;
mod retries;
mod secrets;
mod soak;

// Settings, and the way to Salesforce.
mod agent;
mod environment;
mod proxies;
mod secret_files;
mod settings;
mod tls;

// What people see and use.
mod cli;
mod errors;
mod examples;
mod hints;
mod readme;
mod recipes;
