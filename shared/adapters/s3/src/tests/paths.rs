//! Servers that have their S3 API under a path.

use super::*;

#[tokio::test]
async fn the_bucket_comes_behind_the_path_of_the_endpoint() {
    for (path, wanted) in [
        ("", "GET /bucket/some/prefix/key?"),
        ("/", "GET /bucket/some/prefix/key?"),
        ("/api/s3", "GET /api/s3/bucket/some/prefix/key?"),
        ("/api/s3/", "GET /api/s3/bucket/some/prefix/key?"),
    ] {
        let stage = Stage::under(path, &[Holds("body")]).await;
        let got = stage.play(stage.store.get("key")).await.unwrap();
        assert_eq!(got.unwrap().bytes, text("body"));
        let heard = stage.heard.borrow();
        assert!(heard[0].starts_with(wanted), "{path}: {}", heard[0]);
    }
}
