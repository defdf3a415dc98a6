//! Every request that can go to Cloudflare. Nothing else builds one, and none is sent here.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use kedge_core::model::SecretText;

use super::batch::Batch;
use super::error::Unsendable;
use super::wire::{WireBatch, WireDelete, WirePatch, WirePost};
use crate::ports::{ProviderName, ReadRequest, WriteRequest};
use crate::providers::path::segment;

/// Records per page: as many as the server is known to give (external-dns, cloudflare tutorial;
/// the schema allows more).
pub(super) const PER_PAGE: usize = 5_000;

/// The variable that holds the token.
pub(super) const TOKEN_NAME: &str = super::CLOUDFLARE.credential.variable;

/// What every request to one zone needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone<'a> {
    /// The API's address, with `/client/v4`.
    pub(super) base: &'a str,
    /// The zone.
    pub(super) id: &'a str,
    /// The token.
    pub(super) token: &'a SecretText,
}

/// One page of all records of a zone.
///
/// There is no filter by type: A and AAAA would take a request each, and a zone's other records
/// (CNAME, TXT, MX) are few beside the price of a request.
pub(super) fn list(zone: Zone<'_>, page: usize) -> Result<ReadRequest, Unsendable> {
    let path = format!("/dns_records?per_page={PER_PAGE}&page={page}");
    let request = request(zone, "GET", &path, Bytes::new())?;
    Ok(read("records.list", request))
}

/// The zone itself. A token for the zone's DNS may read it (Cloudflare OpenAPI, `zones/{zone_id}`).
pub(super) fn zone(zone: Zone<'_>) -> Result<ReadRequest, Unsendable> {
    let request = request(zone, "GET", "", Bytes::new())?;
    Ok(read("zone.get", request))
}

fn read(name: &'static str, request: Request<Bytes>) -> ReadRequest {
    ReadRequest::new(ProviderName::Cloudflare, name, request)
}

/// One batch of changes of one record set.
pub(super) fn batch(zone: Zone<'_>, batch: &Batch) -> Result<WriteRequest, Unsendable> {
    let comment = batch.mark.as_str();
    let body = WireBatch {
        deletes: batch.deletes.iter().map(|id| WireDelete { id }).collect(),
        patches: batch
            .patches
            .iter()
            .map(|patch| WirePatch {
                id: &patch.id,
                content: patch.address.as_deref(),
                ttl: patch.timing.map(|(ttl, _)| ttl),
                proxied: patch.timing.map(|(_, proxied)| proxied),
                comment: patch.marked.then_some(comment),
            })
            .collect(),
        posts: batch
            .posts
            .iter()
            .map(|post| WirePost {
                kind: &batch.kind,
                name: &batch.name,
                content: &post.address,
                ttl: post.ttl,
                proxied: post.proxied,
                comment,
            })
            .collect(),
    };
    let body = serde_json::to_vec(&body).map_err(|_| Unsendable::Body)?;
    let request = request(zone, "POST", "/dns_records/batch", body.into())?;
    let provider = ProviderName::Cloudflare;
    Ok(WriteRequest::new(provider, "records.batch", request))
}

fn request(
    zone: Zone<'_>,
    method: &str,
    path: &str,
    body: Bytes,
) -> Result<Request<Bytes>, Unsendable> {
    let bearer = format!("Bearer {}", zone.token.reveal());
    let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| Unsendable::Token)?;
    bearer.set_sensitive(true);
    let id = segment(zone.id).map_err(|_| Unsendable::ZoneId)?;
    let uri = format!("{}/zones/{id}{path}", zone.base);
    let mut request = Request::builder().method(method).uri(uri);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, bearer)
        .body(body)
        .map_err(|_| Unsendable::Address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::is_known_read;

    fn in_zone<'a>(id: &'a str, token: &'a SecretText) -> Zone<'a> {
        Zone {
            base: "https://cf.example/client/v4",
            id,
            token,
        }
    }

    #[test]
    fn the_list_request() {
        let token = SecretText::new("t0ken");
        let read = list(in_zone("../a b", &token), 2).unwrap();
        let request = read.request();
        assert_eq!(
            request.uri().to_string(),
            "https://cf.example/client/v4/zones/..%2Fa%20b/dns_records?per_page=5000&page=2"
        );
        assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer t0ken");
        assert!(!format!("{request:?}").contains("t0ken"));
        let known = is_known_read(read.provider(), request.method(), request.uri().path());
        assert!(known);
    }

    #[test]
    fn the_zone_request() {
        let token = SecretText::new("t0ken");
        let read = zone(in_zone("z", &token)).unwrap();
        let uri = read.request().uri().to_string();
        assert_eq!(uri, "https://cf.example/client/v4/zones/z");
        assert_eq!(read.request().method(), "GET");
    }

    #[test]
    fn what_cannot_be_sent_is_reported() {
        let bad = SecretText::new("t0\nken");
        assert!(matches!(
            list(in_zone("z", &bad), 1),
            Err(Unsendable::Token)
        ));
        let token = SecretText::new("t0ken");
        let nowhere = Zone {
            base: "ht tp://",
            ..in_zone("z", &token)
        };
        assert!(matches!(list(nowhere, 1), Err(Unsendable::Address)));
        for id in ["", ".", ".."] {
            assert!(matches!(zone(in_zone(id, &token)), Err(Unsendable::ZoneId)));
        }
    }
}
