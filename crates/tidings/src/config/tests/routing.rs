//! The rules by which events are routed.

use super::*;

const RULES: &str = r#"
[[routing.rules]]
rooms = ["a", "user:{data.user_id|subject}"]
gateways = ["flow", "tasks"]
when = { type = "com.*", "data.n" = 1, "data.on" = true }

[[routing.rules]]
rooms = ["user:{subject}"]
kind = "other \"one\""
"#;
const SHOWN: &str = r#"[{ when = { "data.n" = "1", "data.on" = "true", "type" = "com.*" }, rooms = ["a", "user:{data.user_id|subject}"], kind = "task_update", gateways = ["flow", "tasks"] }, { rooms = ["user:{subject}"], kind = 'other "one"', gateways = ["tasks"] }]"#;

fn shown(loaded: &Loaded) -> String {
    let printed = effective(loaded);
    let (_, section) = printed.split_once("[routing]\n").unwrap();
    let line = section.lines().find(|line| line.starts_with("rules = ")).unwrap();
    line["rules = ".len()..].rsplit_once(" # ").unwrap().0.to_owned()
}

#[test]
fn rules_stand_in_a_file_or_a_variable_and_are_shown_as_they_are_read() {
    let from_file = from_file(RULES).unwrap();
    assert_eq!(shown(&from_file), SHOWN);
    let from_variable = from_variables(&[("TIDINGS__ROUTING__RULES", SHOWN)]).unwrap();
    assert_eq!(shown(&from_variable), SHOWN);
    let routing = &from_variable.config.routing;
    assert_eq!(routing.routes(&["x".to_owned()]).unwrap().rules().len(), 2);
    // Without rules it is the paths' turn.
    let routing = &from_variables(&[]).unwrap().config.routing;
    assert!(routing.routes(&["x.".to_owned()]).is_err());
    assert_eq!(routing.routes(&["x".to_owned()]).unwrap().rules().len(), 1);
}

#[test]
fn a_rule_that_is_none_is_told_by_its_place() {
    for (text, expected) in [
        ("[routing]\nrules = 1", "found 1"),
        ("[routing]\nrules = [1]", "rule 1: expected a table"),
        (
            "[[routing.rules]]\n[[routing.rules]]\nrooms = []",
            "rule 1: expected 1 to 8 rooms",
        ),
        (
            "[[routing.rules]]\nrooms = [1]",
            "rule 1: `rooms` is a list of texts",
        ),
        (
            "[[routing.rules]]\nrooms = \"a\"",
            "rule 1: `rooms` is a list of texts",
        ),
        (
            "[[routing.rules]]\nrooms = [\"a\"]\nkind = 1",
            "rule 1: `kind` is a text",
        ),
        (
            "[[routing.rules]]\nrooms = [\"a\"]\nwhen = \"x\"",
            "rule 1: `when` is a table",
        ),
        (
            "[[routing.rules]]\nrooms = [\"a\"]\nwhen = { data.kind = \"x\" }",
            "rule 1: the condition on `data` is a text; quote names with dots",
        ),
        (
            "[[routing.rules]]\nrooms = [\"a\"]\nwhen = { data = \"x\" }",
            "rule 1: a field is `topic`, `type`, `source`, `subject`, `id`, `datacontenttype`, `dataschema`, an extension, or `data.` and a path, found `data`",
        ),
        (
            "[[routing.rules]]\nrooms = [\"a\"]\ngateways = []",
            "rule 1: expected at least one gateway",
        ),
    ] {
        let error = from_file(text).unwrap_err();
        assert!(
            error.contains("`routing.rules`") && error.contains(expected),
            "{error}"
        );
    }
    let many = "[[routing.rules]]\nrooms = [\"a\"]\n";
    assert!(from_file(&many.repeat(100)).is_ok());
    let error = from_file(&many.repeat(101)).unwrap_err();
    assert!(error.contains("expected 1 to 100 rules"), "{error}");
}
