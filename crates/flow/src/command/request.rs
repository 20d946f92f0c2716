//! What a client asks for: `{command, parameters?, tenantId?}`.

use serde_json::value::RawValue;

use super::{Command, CommandName};
use crate::authentication::Principal;
use crate::parameters::{Detail, Members, text};
use crate::response::Failure;

/// A request, taken apart.
pub(crate) struct Request<'a> {
    /// `command`, if it is a text.
    pub(crate) command: Option<String>,
    members: Option<Members<'a>>,
}

impl<'a> Request<'a> {
    pub(crate) fn read(json: Option<&'a RawValue>) -> Request<'a> {
        let members = json.and_then(|json| Members::read(json.get(), &["command", "parameters", "tenantId"]));
        let command = members.as_ref().and_then(|members| text(members.get("command")?));
        Request { command, members }
    }

    /// The command's name, if there is such a command.
    pub(crate) fn name(&self) -> Option<CommandName> {
        self.command.as_deref().and_then(CommandName::parse)
    }

    /// The command to carry out, if `principal` may and everything is well-formed.
    pub(crate) fn accept(&self, principal: &Principal) -> Result<(CommandName, Command), Failure> {
        let Some(members) = &self.members else {
            return Err(Failure::InvalidParameters(vec![Detail::wrong(
                "request",
                "an object with a command",
            )]));
        };
        if let Some(tenant) = members.get("tenantId") {
            // The key's tenant always applies; naming another one is an attempt to leave it.
            let is_own = text(tenant)
                .is_some_and(|text| text == principal.tenant.as_str() || text == principal.slug.as_str());
            if !is_own {
                return Err(Failure::AccessDenied);
            }
        }
        let name = self.name().ok_or(Failure::UnknownCommand)?;
        if !principal.permissions.contains(name.permission()) {
            return Err(Failure::AccessDenied);
        }
        let parameters = members.get("parameters").map_or("{}", RawValue::get);
        Ok((name, name.with(parameters)?))
    }
}

#[cfg(test)]
mod tests {
    use tidings_access::{Permission, Permissions};
    use tidings_store::{KeyId, TenantId};

    use super::*;

    fn answer(json: &str, permission: Permission) -> Result<String, &'static str> {
        let principal = Principal {
            key: KeyId::generate(),
            tenant: TenantId::new("t1").unwrap(),
            slug: TenantId::new("one").unwrap(),
            permissions: Permissions::NONE.with(permission),
        };
        Request::read(Some(serde_json::from_str(json).unwrap()))
            .accept(&principal)
            .map(|(_, command)| serde_json::to_string(&command).unwrap())
            .map_err(|failure| failure.text())
    }

    #[test]
    fn requests() {
        let admin = Permission::Admin;
        let table = [
            (r#"{"command":"get_leads"}"#, admin, Ok("{}")),
            (
                r#"{"command":"get_leads","parameters":null,"tenantId":null}"#,
                admin,
                Ok("{}"),
            ),
            (
                r#"{"command":"get_leads","tenantId":"t1","parameters":{"limit":5}}"#,
                admin,
                Ok(r#"{"limit":5}"#),
            ),
            (
                r#"{"command":"get_leads","tenantId":"one"}"#,
                Permission::LeadsRead,
                Ok("{}"),
            ),
            (
                r#"{"command":"get_leads","tenantId":"t2"}"#,
                admin,
                Err("Access denied"),
            ),
            (
                r#"{"command":"get_leads","tenantId":1}"#,
                admin,
                Err("Access denied"),
            ),
            (
                r#"{"command":"get_leads"}"#,
                Permission::LeadsWrite,
                Err("Access denied"),
            ),
            (
                r#"{"command":"create_lead","parameters":{}}"#,
                Permission::LeadsRead,
                Err("Access denied"),
            ),
            (
                r#"{"command":"create_lead","parameters":{}}"#,
                Permission::LeadsWrite,
                Err("Invalid parameters"),
            ),
            (
                r#"{"command":"get_leads","parameters":[]}"#,
                admin,
                Err("Invalid parameters"),
            ),
            (
                r#"{"command":"start_backup"}"#,
                Permission::LeadsRead,
                Err("Access denied"),
            ),
            (
                r#"{"command":"start_backup","parameters":{}}"#,
                Permission::BackupRun,
                Ok(r#"{"backup_type":"full","priority":"normal"}"#),
            ),
            (
                r#"{"command":"compliance_check","parameters":{"severity":1}}"#,
                admin,
                Err("Invalid parameters"),
            ),
            (r#"{"command":"drop_leads"}"#, admin, Err("Unknown command")),
            (r#"{"command":7}"#, admin, Err("Unknown command")),
            ("{}", admin, Err("Unknown command")),
            ("[]", admin, Err("Invalid parameters")),
        ];
        for (json, permission, expected) in table {
            assert_eq!(answer(json, permission), expected.map(str::to_owned), "{json}");
        }
    }
}
