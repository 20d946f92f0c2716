//! All of it, as one document.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::channel::{Channel, ChannelObject};
use super::message::MessageObject;
use super::named::{Named, Reference};

/// A document about one gateway or several.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    asyncapi: &'static str,
    info: Info,
    default_content_type: &'static str,
    channels: Named<ChannelObject>,
    operations: Named<Operation>,
    components: Components,
    /// What the messages of the channels that are added belong to.
    #[serde(skip)]
    gateway: &'static str,
}

#[derive(Clone, Serialize)]
struct Info {
    title: String,
    version: &'static str,
    description: String,
}

#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    schemas: BTreeMap<String, RefOr<Schema>>,
    messages: Named<MessageObject>,
    security_schemes: Named<SecurityScheme>,
}

/// Something by which one is let in.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum SecurityScheme {
    /// A token in `Authorization: Bearer`.
    Http {
        /// `bearer`
        scheme: &'static str,
        /// `JWT`
        #[serde(rename = "bearerFormat")]
        bearer_format: &'static str,
        /// What it is.
        description: &'static str,
    },
    /// A text that goes with the protocol's own opening.
    ApiKey {
        /// `user` or `password`
        r#in: &'static str,
        /// What it is.
        description: &'static str,
    },
    /// A text in a header or in the query.
    HttpApiKey {
        /// The header's or parameter's name.
        name: &'static str,
        /// `header` or `query`
        r#in: &'static str,
        /// What it is.
        description: &'static str,
    },
}

#[derive(Clone, Serialize)]
struct Operation {
    action: &'static str,
    channel: Reference,
    summary: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    security: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bindings: Option<OperationBindings>,
    messages: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
}

#[derive(Clone, Serialize)]
struct OperationBindings {
    http: HttpBinding,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpBinding {
    method: &'static str,
    query: Schema,
    binding_version: &'static str,
}

#[derive(Clone, Serialize)]
struct Reply {
    channel: Reference,
    messages: Vec<Reference>,
}

impl Document {
    /// A document about a gateway, without channels.
    pub fn new(gateway: &'static str, version: &'static str, description: &str) -> Document {
        Document {
            asyncapi: "3.0.0",
            info: Info {
                title: format!("Tidings: {gateway}"),
                version,
                description: description.to_owned(),
            },
            default_content_type: "application/json",
            channels: Named::default(),
            operations: Named::default(),
            components: Components::default(),
            gateway,
        }
    }

    /// Adds a schema with those that it refers to.
    pub fn collect<T: ToSchema>(&mut self) {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        self.components.schemas.extend(schemas);
    }

    /// Adds something by which one is let in.
    pub fn add_security(&mut self, name: &'static str, scheme: SecurityScheme) {
        self.components.security_schemes.add(name, scheme);
    }

    /// Adds `bearerToken` and `queryToken`.
    pub fn add_tokens(&mut self) {
        self.add_security(
            crate::openapi::BEARER_TOKEN,
            SecurityScheme::Http {
                scheme: "bearer",
                bearer_format: "JWT",
                description: "A user's token. On a WebSocket it may also be offered as `Sec-WebSocket-Protocol: bearer, TOKEN`.",
            },
        );
        self.add_security(
            crate::openapi::QUERY_TOKEN,
            SecurityScheme::HttpApiKey {
                name: "token",
                r#in: "query",
                description: "A user's token, for clients that cannot set headers.",
            },
        );
    }

    /// Adds `connectToken`, for namespaces of Socket.IO.
    pub fn add_connect_token(&mut self) {
        self.add_security(
            crate::openapi::CONNECT_TOKEN,
            SecurityScheme::ApiKey {
                r#in: "user",
                description: "A user's token in the payload of CONNECT: `auth: {token}`. With `warn: 1` beside it one is told before it expires.",
            },
        );
    }

    /// Adds a channel with its messages and what is done with them.
    pub fn add(&mut self, channel: Channel) {
        let Channel {
            name,
            scope,
            mut object,
            sends,
            receives,
            security,
            stream_query,
        } = channel;
        let to_channel = Reference::to(&["channels", name]);
        let to_message = |id: &str| Reference::to(&["channels", name, "messages", id]);
        let security: Vec<_> = security
            .iter()
            .map(|scheme| Reference::to(&["components", "securitySchemes", scheme]))
            .collect();
        self.operations.add(
            format!("{name}.send"),
            Operation {
                action: "send",
                channel: to_channel.clone(),
                summary: "What the server says.",
                security: security.clone(),
                bindings: stream_query.map(|query| OperationBindings {
                    http: HttpBinding {
                        method: "GET",
                        query,
                        binding_version: "0.3.0",
                    },
                }),
                messages: sends.iter().map(|message| to_message(message.id)).collect(),
                reply: None,
            },
        );
        for request in &receives {
            let reply = (!request.replies.is_empty()).then(|| Reply {
                channel: to_channel.clone(),
                messages: request.replies.iter().map(|id| to_message(id)).collect(),
            });
            self.operations.add(
                format!("{name}.receive.{}", request.message.id),
                Operation {
                    action: "receive",
                    channel: to_channel.clone(),
                    summary: request.message.summary(),
                    security: security.clone(),
                    bindings: None,
                    messages: vec![to_message(request.message.id)],
                    reply,
                },
            );
        }
        let requests = receives.into_iter().map(|request| request.message);
        for message in sends.into_iter().chain(requests) {
            let component = format!("{}.{}", scope.unwrap_or(self.gateway), message.id);
            let reference = Reference::to(&["components", "messages", &component]);
            object.messages.add(message.id, reference);
            self.components.messages.add(component, message.object);
        }
        self.channels.add(name, object);
    }

    /// Makes one document, with this title, of those of gateways that share a listener.
    pub fn merged(title: &str, documents: impl IntoIterator<Item = Document>) -> Option<Document> {
        let mut documents = documents.into_iter();
        let first = documents.next()?;
        Some(documents.fold(first, |mut document, other| {
            if !document.info.description.starts_with("# ") {
                document.info.description = document.info.headed();
            }
            document.info.description += "\n\n";
            document.info.description += &other.info.headed();
            title.clone_into(&mut document.info.title);
            document.channels.extend(other.channels);
            document.operations.extend(other.operations);
            document.components.schemas.extend(other.components.schemas);
            document.components.messages.extend(other.components.messages);
            let schemes = other.components.security_schemes;
            document.components.security_schemes.extend(schemes);
            document
        }))
    }

    /// The document as JSON, with a line end behind it.
    ///
    /// # Panics
    ///
    /// Not as long as a document holds texts, numbers, lists and finished JSON only.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self)
            .expect("Invariant: a document holds texts, numbers, lists and finished JSON only");
        json + "\n"
    }
}

impl Info {
    fn headed(&self) -> String {
        format!("# {}\n\n{}", self.title, self.description)
    }
}
