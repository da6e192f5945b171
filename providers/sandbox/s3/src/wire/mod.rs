//! The operations of S3, each a few lines between the wire's types and the store's rules.
//!
//! Operations that are missing here are answered `NotImplemented` by name.

mod bucket;
mod copy;
mod delete;
mod list;
mod lock;
mod multipart;
mod object;
mod value;

use s3s::S3;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto;

use crate::store::Store;

/// A store behind the wire.
pub(crate) struct Wire {
    store: Store,
}

impl Wire {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

/// Each operation is a function of its own that takes the store and the request.
macro_rules! operations {
    ($($name:ident($input:ident) -> $output:ident = $module:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Wire {
            $(async fn $name(
                &self,
                request: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                let output = $module::$name(&self.store, request).await?;
                Ok(S3Response::new(output))
            })*
        }
    };
}

operations! {
    list_buckets(ListBucketsInput) -> ListBucketsOutput = bucket;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = bucket;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = bucket;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = bucket;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = bucket;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = bucket;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = bucket;
    put_object(PutObjectInput) -> PutObjectOutput = object;
    get_object(GetObjectInput) -> GetObjectOutput = object;
    head_object(HeadObjectInput) -> HeadObjectOutput = object;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copy;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete;
    list_objects(ListObjectsInput) -> ListObjectsOutput = list;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = list;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart;
    list_parts(ListPartsInput) -> ListPartsOutput = multipart;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = multipart;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = lock;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput = lock;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = lock;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput = lock;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = lock;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput = lock;
}
