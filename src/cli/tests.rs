//! Stories about the command line.

use super::serve::ServeArguments;
use super::{Arguments, Command};
use clap::{CommandFactory, Parser};

fn parse(arguments: &[&str]) -> Result<Arguments, String> {
    Arguments::try_parse_from(["ringmill"].iter().chain(arguments)).map_err(|error| error.to_string())
}

#[test]
fn the_definition_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn without_a_command_it_serves_with_the_same_options() {
    let arguments = ["--config", "server.properties", "--set", "a=1", "--set", "b=x=y"];
    let expected = ServeArguments { config: Some("server.properties".into()), set: vec!["a=1".into(), "b=x=y".into()] };
    let bare = parse(&arguments).expect("accepted");
    assert!(bare.command.is_none());
    assert_eq!(bare.serve, expected);
    let named = parse(&[&["serve"], &arguments[..]].concat()).expect("accepted");
    assert!(matches!(named.command, Some(Command::Serve(serve)) if serve == expected));
    assert_eq!(parse(&[]).expect("accepted").serve, ServeArguments::default());
}

#[test]
fn wrong_usage_is_named() {
    assert!(parse(&["srve"]).expect_err("unknown").contains("'srve'"));
    assert!(parse(&["serve", "--set"]).expect_err("no value").contains("--set <KEY=VALUE>"));
    assert!(parse(&["version", "--set", "a=1"]).is_err());
}
