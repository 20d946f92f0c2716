//! 10,000 random pairs of user and room for each kind of rule, and for chains of them, against an oracle that is written
//! from the documents and knows no rule's code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tidings_access::{ClaimRule, Decision, OWN_ROOM, RoomAccess, RoomRule};
use tidings_rules::{HttpRule, HttpSettings, SqlRule, SqlSettings};
use tidings_store::{ExecutionId, NewExecution, NewWorkflow, OwnerId, Store, StoreOptions, WorkflowId};
use tidings_workflows::registry_rule;

use crate::application::Application;
use crate::claims;
use crate::database::Database;

const PAIRS: usize = 10_000;

/// Ids with what queries, patterns and JSON give a meaning to.
const IDS: [&str; 16] = [
    "1",
    "12",
    "123",
    "a",
    "a:b",
    "a*",
    "*",
    "%",
    "_",
    "a'b",
    "a\"b",
    "a\\b",
    "æ€😀",
    " ",
    "A",
    "1 OR true",
];
const USERS: [&str; 12] = [
    "ann",
    "bob",
    "ann ",
    "Ann",
    "a'b",
    "a\"b",
    "%",
    "*",
    "1",
    "12",
    "æ€😀",
    "user:ann",
];

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// What is true, as plain data.
#[derive(Default)]
struct World {
    /// Workflows and their owners.
    workflows: BTreeMap<String, String>,
    /// Executions, their workflows, and owners of their own.
    executions: BTreeMap<String, (String, Option<String>)>,
    /// Rows of the application's table: user, kind, id.
    rows: BTreeSet<(String, String, String)>,
    /// What the application's route allows: user, room.
    allowed: BTreeSet<(String, String)>,
    /// The claim of each user's token.
    claims: BTreeMap<String, Vec<String>>,
}

impl World {
    fn random(random: &mut Random) -> World {
        let mut world = World::default();
        let owner = |random: &mut Random| (*random.of(&USERS)).to_owned();
        for id in IDS {
            // Half of the ids are of nothing.
            if random.one_in(2) {
                world.workflows.insert(id.to_owned(), owner(random));
            }
        }
        let workflows: Vec<String> = world.workflows.keys().cloned().collect();
        for id in IDS {
            if random.one_in(2) && !workflows.is_empty() {
                let own = random.one_in(2).then(|| owner(random));
                let execution = (random.of(&workflows).clone(), own);
                world.executions.insert(id.to_owned(), execution);
            }
        }
        for user in USERS {
            for id in IDS {
                for kind in ["execution", "workflow"] {
                    if random.one_in(4) {
                        world
                            .rows
                            .insert((user.to_owned(), kind.to_owned(), id.to_owned()));
                    }
                    if random.one_in(4) {
                        world.allowed.insert((user.to_owned(), format!("{kind}:{id}")));
                    }
                }
            }
            let entries = (0..random.below(5)).map(|_| match random.below(12) {
                0 => "*".to_owned(),
                1 => "exec*".to_owned(),
                2 => format!("user:{}", random.of(&USERS)),
                3 => (*random.of(&IDS)).to_owned(),
                4..8 => format!("{}:{}*", random.of(&["execution", "workflow"]), random.of(&IDS)),
                _ => format!("{}:{}", random.of(&["execution", "workflow"]), random.of(&IDS)),
            });
            let entries = entries.collect();
            world.claims.insert(user.to_owned(), entries);
        }
        world
    }

    /// Whether the rule lets the user into the room, by the words of the documents.
    fn allows(&self, rule: &str, user: &str, room: &str) -> bool {
        if room.len() > 256 || room.chars().any(|letter| letter < ' ') {
            return false;
        }
        let execution = room.strip_prefix("execution:").filter(|id| !id.is_empty());
        let workflow = room.strip_prefix("workflow:").filter(|id| !id.is_empty());
        match (rule, execution, workflow) {
            (_, None, None) => false,
            ("registry", Some(id), _) => self.executions.get(id).is_some_and(|(of, own)| {
                own.as_ref()
                    .or_else(|| self.workflows.get(of))
                    .is_some_and(|owner| owner == user)
            }),
            ("registry", None, Some(id)) => self.workflows.get(id).is_some_and(|owner| owner == user),
            ("claim", ..) => self.claims[user].iter().any(|entry| match entry.chars().last() {
                Some('*') => room.starts_with(&entry[..entry.len() - 1]),
                _ => entry == room,
            }),
            ("sql", Some(id), _) => self.rows.contains(&(user.into(), "execution".into(), id.into())),
            ("sql", None, Some(id)) => self.rows.contains(&(user.into(), "workflow".into(), id.into())),
            ("http", ..) => self.allowed.contains(&(user.into(), room.into())),
            other => unreachable!("{other:?}"),
        }
    }
}

/// Who is let in by these rules, and by which.
fn expected<'a>(world: &World, chain: &[&'a str], user: &str, room: &str) -> Option<&'a str> {
    if room.strip_prefix("user:") == Some(user) {
        return Some(OWN_ROOM);
    }
    chain.iter().copied().find(|rule| world.allows(rule, user, room))
}

fn pair(random: &mut Random) -> (&'static str, String) {
    let user = *random.of(&USERS);
    let id = *random.of(&IDS);
    let room = match random.below(20) {
        0 => format!("user:{}", random.of(&USERS)),
        1 => format!("user:{user}"),
        2 => id.to_owned(),
        3 => format!("{}:", random.of(&["execution", "workflow", "user", ""])),
        4 => format!(
            "{}:{id}",
            random.of(&["tenant", "Execution", "executions", " execution", ""])
        ),
        5 => format!("execution:{id}{}", random.of(&["\n", "\0", "x", " "])),
        6 => format!("execution:{}", "x".repeat(240 + random.below(10))),
        _ => format!("{}:{id}", random.of(&["execution", "workflow"])),
    };
    (user, room)
}

/// The world where the rules find it.
struct Rules {
    store: Store,
    database: Database,
    application: Application,
}

impl Rules {
    async fn of(world: &World) -> Rules {
        let store = Store::open_with(StoreOptions::new("sqlite::memory:"))
            .await
            .unwrap();
        for (id, owner) in &world.workflows {
            let new = NewWorkflow {
                id: WorkflowId::new(id).unwrap(),
                owner_id: OwnerId::new(owner).unwrap(),
                name: None,
                data: None,
            };
            store.put_workflow(new).await.unwrap();
        }
        for (id, (workflow, owner)) in &world.executions {
            let new = NewExecution {
                id: ExecutionId::new(id).unwrap(),
                workflow_id: WorkflowId::new(workflow).unwrap(),
                owner_id: owner.as_deref().map(|owner| OwnerId::new(owner).unwrap()),
                total_nodes: None,
            };
            store.put_execution(new).await.unwrap();
        }
        let database = Database::new().await;
        let mut connection = database.connect().await;
        for (owner, kind, id) in &world.rows {
            sqlx::query("INSERT INTO grants VALUES ($1, $2, $3)")
                .bind(owner)
                .bind(kind)
                .bind(id)
                .execute(&mut connection)
                .await
                .unwrap();
        }
        let application = Application::start().await;
        for (number, user) in USERS.into_iter().enumerate() {
            for id in IDS {
                for kind in ["execution", "workflow"] {
                    let room = format!("{kind}:{id}");
                    let (status, body) = if world.allowed.contains(&(user.to_owned(), room.clone())) {
                        (200, r#"{"allow": true, "ttl_s": 1}"#)
                    } else {
                        // The many ways to say no; what nobody has ever heard of is 404.
                        [
                            (200, r#"{"allow": false}"#),
                            (403, ""),
                            (404, r#"{"allow": true}"#),
                        ][number % 3]
                    };
                    application.set(user, &room, status, body).await;
                }
            }
        }
        Rules {
            store,
            database,
            application,
        }
    }

    fn chain(&self, names: &[&str]) -> RoomAccess {
        let rule = |name: &&str| -> Arc<dyn RoomRule> {
            match *name {
                "registry" => registry_rule(self.store.clone(), None),
                "claim" => Arc::new(ClaimRule),
                "sql" => {
                    let query =
                        "SELECT EXISTS (SELECT FROM grants WHERE owner = $1 AND kind = $2 AND id = $3)";
                    let settings = SqlSettings {
                        connections_max: 8,
                        ..self.database.settings(query)
                    };
                    Arc::new(SqlRule::new(settings).unwrap())
                }
                "http" => {
                    let settings = HttpSettings {
                        // Small, so that answers are forgotten for others too.
                        cache_entries_max: 64,
                        ..self.application.settings()
                    };
                    Arc::new(HttpRule::new(settings).unwrap())
                }
                other => unreachable!("{other}"),
            }
        };
        RoomAccess::new(names.iter().map(rule))
    }
}

async fn agree(seed: u64, chain: &'static [&'static str]) {
    let mut random = Random(seed | 1);
    let world = World::random(&mut random);
    let rules = Rules::of(&world).await;
    let access = rules.chain(chain);
    let pairs: Vec<_> = (0..PAIRS).map(|_| pair(&mut random)).collect();
    let asked = stream::iter(&pairs).map(|(user, room)| {
        let (access, world) = (&access, &world);
        async move {
            let mut claims = claims(user);
            claims.rooms.clone_from(&world.claims[*user]);
            let decision = access.decide(&claims, room).await;
            let found = match decision {
                Decision::Allowed(admission) => Some(admission.rule),
                Decision::Denied { is_uncertain } => {
                    assert!(!is_uncertain, "{chain:?} {user:?} {room:?}: could not be asked");
                    None
                }
            };
            let expected = expected(world, chain, user, room);
            assert_eq!(found, expected, "seed {seed}: {chain:?} {user:?} {room:?}");
            found.is_some()
        }
    });
    let allowed = asked
        .buffer_unordered(32)
        .filter(|is_allowed| std::future::ready(*is_allowed))
        .count()
        .await;
    // Both answers are there in numbers, or the pairs prove nothing.
    assert!(
        (PAIRS / 50..PAIRS * 9 / 10).contains(&allowed),
        "{allowed} allowed"
    );
}

fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_nanos() as u64
    })
}

macro_rules! chains {
    ($($name:ident: [$($rule:literal),*];)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            agree(seed(), &[$($rule),*]).await;
        })*
    };
}

chains! {
    registry: ["registry"];
    claim: ["claim"];
    sql: ["sql"];
    http: ["http"];
    registry_and_claim: ["registry", "claim"];
    all_four: ["registry", "claim", "sql", "http"];
    all_four_the_other_way_round: ["http", "sql", "claim", "registry"];
    sql_before_registry: ["sql", "registry"];
}
