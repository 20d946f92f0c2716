use super::*;
use serde_json::value::RawValue;
use tidings_hub::Gateway;

fn of_users(rules: &Routes, json: &str) -> Result<String, DropReason> {
    let event = Routable {
        topic: None,
        envelope: None,
        data: serde_json::from_str::<&RawValue>(json).unwrap(),
    };
    let destination = rules.route(event)?;
    assert_eq!(&**destination.kind, "task_update");
    assert_eq!(destination.gateways, Gateways::only(Gateway::Tasks));
    assert_eq!(destination.rooms.len(), 1);
    Ok(destination.rooms[0].to_string())
}

#[test]
fn without_rules_every_event_goes_to_its_user() {
    let longest = "u".repeat(200);
    let table = [
        (r#"{"user_id":"user-123"}"#, Ok("user:user-123")),
        (r#"{"data":{"user_id":"a"}}"#, Ok("user:a")),
        (r#"{"payload": {"user_id": "b"} }"#, Ok("user:b")),
        (
            r#"{"payload":{"user_id":"c"},"data":{"user_id":"b"},"user_id":"a"}"#,
            Ok("user:a"),
        ),
        (r#"{"user_id":null,"payload":{"user_id":"c"}}"#, Ok("user:c")),
        (r#"{"data":"text","payload":{"user_id":"c"}}"#, Ok("user:c")),
        (r#"{"user_id":42}"#, Ok("user:42")),
        (r#"{"user_id":0}"#, Ok("user:0")),
        (r#"{"user_id":-7}"#, Ok("user:-7")),
        (
            r#"{"user_id":12345678901234567890123}"#,
            Ok("user:12345678901234567890123"),
        ),
        (r#"{"user_id":"\u00e4:b c"}"#, Ok("user:ä:b c")),
        (r#"{"user_id":"a","user_id":"b"}"#, Ok("user:b")),
        (r#"{"user_id":42.0}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":1e3}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":-0}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":true}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":{"id":1}}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":["a"]}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":"a\u0000"}"#, Err(DropReason::InvalidUser)),
        (r#"{"user_id":"\ud800"}"#, Err(DropReason::InvalidUser)),
        // What stands at the first path is meant: another user further down must not get it instead.
        (
            r#"{"user_id":false,"payload":{"user_id":"c"}}"#,
            Err(DropReason::InvalidUser),
        ),
        (r#"{"user_id":""}"#, Err(DropReason::NoUser)),
        (r#"{"userId":"a"}"#, Err(DropReason::NoUser)),
        (r#"{"payload":{"data":{"user_id":"a"}}}"#, Err(DropReason::NoUser)),
        ("{}", Err(DropReason::NoUser)),
        ("[]", Err(DropReason::NotJson)),
        ("null", Err(DropReason::NotJson)),
        (r#""{\"user_id\":\"a\"}""#, Err(DropReason::NotJson)),
    ];
    let rules = Routes::default();
    for (json, expected) in table {
        assert_eq!(of_users(&rules, json), expected.map(str::to_owned), "{json}");
    }
    assert_eq!(
        of_users(&rules, &format!(r#"{{"user_id":"{longest}"}}"#)),
        Ok(format!("user:{longest}"))
    );
    assert_eq!(
        of_users(&rules, &format!(r#"{{"user_id":"{longest}u"}}"#)),
        Err(DropReason::InvalidUser)
    );
}

#[test]
fn the_paths_to_the_user_are_configurable() {
    let rules = Routes::new(vec![Rule::for_users(["owner", "meta.owner.id"]).unwrap()]).unwrap();
    assert_eq!(
        of_users(&rules, r#"{"meta":{"owner":{"id":9}}}"#),
        Ok("user:9".to_owned())
    );
    assert_eq!(of_users(&rules, r#"{"user_id":"a"}"#), Err(DropReason::NoUser));
}

#[test]
fn paths_that_lead_nowhere_are_refused() {
    let error = |paths: Vec<&str>| Rule::for_users(paths).unwrap_err();
    assert_eq!(error(vec![]), RuleError::Fields);
    assert_eq!(error(vec!["a"; 17]), RuleError::Fields);
    for path in ["", ".", "a.", ".a", "a..b", "a.b.c.d.e.f.g.h.i"] {
        assert_eq!(error(vec![path]), RuleError::Path(path.to_owned()));
    }
}

fn envelope() -> CloudEvent<'static> {
    CloudEvent::from_structured(
        br#"{
            "specversion": "1.0", "id": "1", "source": "/backend/tasks", "type": "com.example.task.created", "subject": "task-7",
            "datacontenttype": "application/json", "traceid": "t", "attempt": 2, "last": false
        }"#,
    )
    .unwrap()
}

#[test]
fn conditions_are_met_by_what_the_event_says() {
    let data = r#"{"kind":"reminder","n":1.50,"on":true,"none":null,"deep":{"er":["x"]}}"#;
    let envelope = envelope();
    let event = Routable {
        topic: Some("task-updates"),
        envelope: Some(&envelope),
        data: serde_json::from_str(data).unwrap(),
    };
    for (field, pattern, expected) in [
        ("topic", "task-*", true),
        ("topic", "tasks", false),
        ("type", "com.example.*.created", true),
        ("source", "/backend/*", true),
        ("subject", "task-7", true),
        ("id", "1", true),
        ("datacontenttype", "*/json", true),
        ("dataschema", "*", false),
        ("traceid", "t", true),
        ("attempt", "2", true),
        ("last", "false", true),
        ("other", "*", false),
        ("data.kind", "reminder", true),
        ("data.kind", "\"reminder\"", false),
        ("data.n", "1.50", true),
        ("data.on", "true", true),
        ("data.none", "*", false),
        ("data.deep.er", "[*]", true),
        ("data.deep.er.x", "*", false),
        ("data.missing", "*", false),
    ] {
        let condition = Condition::new(field, pattern).unwrap();
        let rule = Rule::new(
            vec![condition.clone()],
            vec![Template::parse("all").unwrap()],
            "kind",
            &[Gateway::Flow],
        )
        .unwrap();
        let unmet = (!expected).then_some(&condition);
        assert_eq!(rule.unmet(event), unmet, "{condition}");
    }
}

#[test]
fn the_first_rule_whose_conditions_are_met_decides() {
    let rule = |field, pattern, room: &str, kind| {
        let conditions = vec![Condition::new(field, pattern).unwrap()];
        let rooms = vec![Template::parse(room).unwrap(), Template::parse("all").unwrap()];
        Rule::new(conditions, rooms, kind, &[Gateway::Tasks, Gateway::Workflows]).unwrap()
    };
    let rules = Routes::new(vec![
        rule("type", "*.deleted", "{subject}", "gone"),
        rule(
            "type",
            "*.created",
            "execution:{data.execution.id|subject}",
            "new",
        ),
        rule("type", "*", "user:{data.user_id}", "other"),
    ])
    .unwrap();
    let route = |kind: &str, data: &str| {
        let envelope = CloudEvent {
            kind: kind.into(),
            ..envelope()
        };
        let event = Routable {
            topic: None,
            envelope: Some(&envelope),
            data: serde_json::from_str(data).unwrap(),
        };
        let destination = rules.route(event)?;
        let rooms: Vec<String> = destination.rooms.iter().map(ToString::to_string).collect();
        assert!(
            destination.gateways.contains(Gateway::Workflows)
                && !destination.gateways.contains(Gateway::Flow)
        );
        Ok((destination.kind.to_string(), rooms.join(" ")))
    };
    let found = |kind: &str, rooms: &str| Ok((kind.to_owned(), rooms.to_owned()));
    assert_eq!(route("task.deleted", "{}"), found("gone", "task-7 all"));
    assert_eq!(
        route("task.created", r#"{"execution":{"id":5}}"#),
        found("new", "execution:5 all")
    );
    assert_eq!(route("task.created", "{}"), found("new", "execution:task-7 all"));
    assert_eq!(
        route("task.changed", r#"{"user_id":"a"}"#),
        found("other", "user:a all")
    );
    // Not for another rule, whose rooms it would name.
    assert_eq!(route("task.changed", r#"{"id":"a"}"#), Err(DropReason::NoUser));

    let bare = Routable {
        topic: None,
        envelope: None,
        data: serde_json::from_str("{}").unwrap(),
    };
    assert_eq!(rules.route(bare), Err(DropReason::NoRoute));
}

#[test]
fn only_texts_and_integers_are_names() {
    let envelope = envelope();
    let event = Routable {
        topic: Some("t"),
        envelope: Some(&envelope),
        data: serde_json::from_str("{}").unwrap(),
    };
    for (template, expected) in [
        ("{topic}", Ok("t")),
        ("{attempt}", Ok("2")),
        ("{traceid}", Ok("t")),
        ("{other|subject}", Ok("task-7")),
        ("{last}", Err(DropReason::InvalidUser)),
        ("{last|subject}", Err(DropReason::InvalidUser)),
        ("{other}", Err(DropReason::NoUser)),
    ] {
        let rule = Rule::new(
            Vec::new(),
            vec![Template::parse(template).unwrap()],
            "kind",
            &[Gateway::Flow],
        )
        .unwrap();
        let found = rule
            .destination(event)
            .map(|destination| destination.rooms[0].to_string());
        assert_eq!(found, expected.map(str::to_owned), "{template}");
    }
}

#[test]
fn a_room_is_named_once() {
    let rooms = ["{data.a}", "{data.b}"].map(|room| Template::parse(room).unwrap());
    let rule = Rule::new(Vec::new(), rooms.into(), "kind", &[Gateway::Flow]).unwrap();
    let event = Routable {
        topic: None,
        envelope: None,
        data: serde_json::from_str(r#"{"a":"x","b":"x"}"#).unwrap(),
    };
    assert_eq!(
        rule.destination(event).unwrap().rooms,
        [RoomName::new("x").unwrap()]
    );
}

#[test]
fn templates_are_read_and_shown() {
    for text in [
        "a",
        "user:{data.user_id}",
        "{topic}:{type}/{data.a.b|subject|x9}",
        "ä {id} b",
    ] {
        assert_eq!(Template::parse(text).unwrap().to_string(), text);
    }
    assert!(Template::parse(&"r".repeat(256)).is_ok());
    assert!(Template::parse(&"r".repeat(257)).is_err());
    for text in ["", "{", "}", "a}b", "{a", "a{b}}", "{a{b}}", "a\u{7}"] {
        assert!(
            matches!(
                Template::parse(text),
                Err(RuleError::Template(_) | RuleError::Field(_))
            ),
            "{text}"
        );
    }
    for text in [
        "{time}",
        "{specversion}",
        "{}",
        "{a|}",
        "{data}",
        "{Type}",
        "{data.}",
        "{a b}",
        "{data.a..b}",
    ] {
        assert!(
            matches!(
                Template::parse(text),
                Err(RuleError::Field(_) | RuleError::Path(_))
            ),
            "{text}"
        );
    }
    let many = format!("{{{}}}", vec!["a"; 17].join("|"));
    assert_eq!(Template::parse(&many), Err(RuleError::Fields));
}

#[test]
fn rules_are_bounded() {
    let rooms = |count| vec![Template::parse("a").unwrap(); count];
    let conditions = |count| vec![Condition::new("type", "*").unwrap(); count];
    let error = |conditions, rooms, kind: &str, gateways: &[Gateway]| {
        Rule::new(conditions, rooms, kind, gateways).unwrap_err()
    };
    let flow = [Gateway::Flow];
    assert_eq!(error(conditions(17), rooms(1), "k", &flow), RuleError::Conditions);
    assert_eq!(error(conditions(0), rooms(0), "k", &flow), RuleError::Rooms);
    assert_eq!(error(conditions(0), rooms(9), "k", &flow), RuleError::Rooms);
    assert_eq!(error(conditions(0), rooms(1), "", &flow), RuleError::Kind);
    assert_eq!(
        error(conditions(0), rooms(1), &"k".repeat(129), &flow),
        RuleError::Kind
    );
    assert_eq!(error(conditions(0), rooms(1), "k", &[]), RuleError::Gateways);
    for kind in ["disconnect", "pong"] {
        let reserved = RuleError::ReservedKind(kind.to_owned());
        assert_eq!(error(conditions(0), rooms(1), kind, &flow), reserved);
    }
    assert_eq!(Routes::new(Vec::new()).unwrap_err(), RuleError::Count);
    let rule = Rule::new(conditions(16), rooms(8), "k", &flow).unwrap();
    assert_eq!(
        Routes::new(vec![rule.clone(); 101]).unwrap_err(),
        RuleError::Count
    );
    assert!(Routes::new(vec![rule; 100]).is_ok());
}
