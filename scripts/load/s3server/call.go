package s3server

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Op is the name of an API operation.
type Op string

// The operations that are told apart.
const (
	AbortMultipartUpload    Op = "AbortMultipartUpload"
	CompleteMultipartUpload Op = "CompleteMultipartUpload"
	CopyObject              Op = "CopyObject"
	CreateMultipartUpload   Op = "CreateMultipartUpload"
	DeleteObject            Op = "DeleteObject"
	DeleteObjects           Op = "DeleteObjects"
	GetCallerIdentity       Op = "GetCallerIdentity"
	GetObject               Op = "GetObject"
	GetObjectAttributes     Op = "GetObjectAttributes"
	HeadBucket              Op = "HeadBucket"
	HeadObject              Op = "HeadObject"
	ListBuckets             Op = "ListBuckets"
	ListMultipartUploads    Op = "ListMultipartUploads"
	ListObjectVersions      Op = "ListObjectVersions"
	ListObjects             Op = "ListObjects" // both versions of the call
	ListParts               Op = "ListParts"
	PutObject               Op = "PutObject"
	UploadPart              Op = "UploadPart"
	GetBucketPolicy         Op = "GetBucketPolicy"
	Other                   Op = "Other" // of STS: what is not GetCallerIdentity
)

// Call is one request, as Options.Fault sees it.
type Call struct {
	Op          Op
	Bucket, Key string
	Identity    Identity // zero for the anonymous and for keys that are not valid
	Number      int64    // of all calls to this server, from 1
	Nth         int64    // of this operation on this bucket and key, from 1 (only with KeepAll)
	Header      http.Header
	Query       url.Values
	Size        int64 // of the content: Content-Length, or the decoded length of aws-chunked; -1 unknown

	sub     string // the sub-resource, e.g. "tagging"
	actions []string
	host    string
}

// subResource of a request that is not one of the named operations, and the IAM actions that it needs
// (UG "Required permissions for Amazon S3 API operations"). With a version id, objects' actions end in
// …Version. Those not answered truly say 501 NotImplemented to callers who are allowed.
var onObject = map[string]map[string]string{
	"acl":        {"GET": "GetObjectAcl", "PUT": "PutObjectAcl"},
	"tagging":    {"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"},
	"retention":  {"GET": "GetObjectRetention", "PUT": "PutObjectRetention"},
	"legal-hold": {"GET": "GetObjectLegalHold", "PUT": "PutObjectLegalHold"},
	"torrent":    {"GET": "GetObjectTorrent"},
	"restore":    {"POST": "RestoreObject"},
	"select":     {"POST": "GetObject"},
}

var onBucket = map[string]map[string]string{
	"acl":               {"GET": "GetBucketAcl", "PUT": "PutBucketAcl"},
	"policy":            {"GET": "GetBucketPolicy", "PUT": "PutBucketPolicy", "DELETE": "DeleteBucketPolicy"},
	"policyStatus":      {"GET": "GetBucketPolicyStatus"},
	"versioning":        {"GET": "GetBucketVersioning", "PUT": "PutBucketVersioning"},
	"location":          {"GET": "GetBucketLocation"},
	"lifecycle":         {"GET": "GetLifecycleConfiguration", "PUT": "PutLifecycleConfiguration", "DELETE": "PutLifecycleConfiguration"},
	"ownershipControls": {"GET": "GetBucketOwnershipControls", "PUT": "PutBucketOwnershipControls"},
	"publicAccessBlock": {"GET": "GetBucketPublicAccessBlock", "PUT": "PutBucketPublicAccessBlock"},
	"encryption":        {"GET": "GetEncryptionConfiguration", "PUT": "PutEncryptionConfiguration"},
	"replication":       {"GET": "GetReplicationConfiguration", "PUT": "PutReplicationConfiguration"},
	"object-lock":       {"GET": "GetBucketObjectLockConfiguration", "PUT": "PutBucketObjectLockConfiguration"},
	"tagging":           {"GET": "GetBucketTagging", "PUT": "PutBucketTagging"},
	"notification":      {"GET": "GetBucketNotification", "PUT": "PutBucketNotification"},
	"cors":              {"GET": "GetBucketCORS", "PUT": "PutBucketCORS"},
	"logging":           {"GET": "GetBucketLogging", "PUT": "PutBucketLogging"},
	"website":           {"GET": "GetBucketWebsite", "PUT": "PutBucketWebsite"},
}

func (s *Server) parse(r *http.Request) *Call {
	c := &Call{Header: r.Header, Size: r.ContentLength, host: r.Host}
	if r.URL.RawQuery != "" {
		c.Query = r.URL.Query()
	}
	if d := r.Header.Get("X-Amz-Decoded-Content-Length"); d != "" {
		if n, err := strconv.ParseInt(d, 10, 64); err == nil {
			c.Size = n
		}
	}
	c.Bucket, c.Key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if label, rest, dotted := strings.Cut(r.Host, "."); dotted && !strings.HasPrefix(r.Host, "127.") && (rest == "localhost" || strings.HasPrefix(rest, "localhost:") || strings.HasPrefix(rest, "s3.")) {
		c.Bucket, c.Key = label, strings.TrimPrefix(r.URL.Path, "/") // virtual-hosted style
	}
	switch {
	case c.Bucket == "" && (r.Method == http.MethodPost || c.Query.Has("Action")):
		c.Op = Other
	case c.Bucket == "":
		c.named(ListBuckets, "ListAllMyBuckets")
	case c.Key == "":
		c.bucketCall(r.Method)
	default:
		c.objectCall(r.Method)
	}
	return c
}

func (c *Call) named(op Op, actions ...string) {
	c.Op = op
	for _, a := range actions {
		c.actions = append(c.actions, "s3:"+a)
	}
}

func (c *Call) bucketCall(method string) {
	for name, methods := range onBucket {
		if c.Query.Has(name) {
			c.sub = name
			c.named(Op(methods[method]), methods[method])
			return
		}
	}
	switch {
	case method == http.MethodHead:
		c.named(HeadBucket, "ListBucket")
	case method == http.MethodGet && c.Query.Has("uploads"):
		c.named(ListMultipartUploads, "ListBucketMultipartUploads")
	case method == http.MethodGet && c.Query.Has("versions"):
		c.named(ListObjectVersions, "ListBucketVersions")
	case method == http.MethodGet:
		c.named(ListObjects, "ListBucket")
	case method == http.MethodPost && c.Query.Has("delete"):
		c.named(DeleteObjects) // decided for each key
	case method == http.MethodPut:
		c.named("CreateBucket", "CreateBucket")
	case method == http.MethodDelete:
		c.named("DeleteBucket", "DeleteBucket")
	default:
		c.named(Other, "Other")
	}
}

func (c *Call) objectCall(method string) {
	version := ""
	if c.Query.Has("versionId") {
		version = "Version"
	}
	for name, methods := range onObject {
		if c.Query.Has(name) {
			c.sub = name
			action := methods[method]
			c.named(Op(action), strings.Replace(action, "Object", "Object"+version, 1))
			return
		}
	}
	upload := c.Query.Has("uploadId")
	switch {
	case method == http.MethodPut && upload:
		c.named(UploadPart, "PutObject")
	case method == http.MethodPut && c.Header.Get("X-Amz-Copy-Source") != "":
		c.named(CopyObject, "PutObject") // and GetObject of the source
	case method == http.MethodPut:
		c.named(PutObject, "PutObject")
		c.withHeaders()
	case method == http.MethodPost && c.Query.Has("uploads"):
		c.named(CreateMultipartUpload, "PutObject")
		c.withHeaders()
	case method == http.MethodPost && upload:
		c.named(CompleteMultipartUpload, "PutObject")
	case method == http.MethodDelete && upload:
		c.named(AbortMultipartUpload, "AbortMultipartUpload")
	case method == http.MethodDelete:
		c.named(DeleteObject, "DeleteObject"+version)
	case method == http.MethodGet && upload:
		c.named(ListParts, "ListMultipartUploadParts")
	case method == http.MethodGet && c.Query.Has("attributes"):
		c.named(GetObjectAttributes, "GetObject"+version, "GetObject"+version+"Attributes")
	case method == http.MethodHead:
		c.named(HeadObject, "GetObject"+version)
	case method == http.MethodGet:
		c.named(GetObject, "GetObject"+version)
	default:
		c.named(Other, "Other")
	}
}

// withHeaders adds what headers of a write ask for beside the bytes.
func (c *Call) withHeaders() {
	for header, action := range map[string]string{
		"X-Amz-Tagging": "PutObjectTagging", "X-Amz-Acl": "PutObjectAcl",
		"X-Amz-Object-Lock-Mode": "PutObjectRetention", "X-Amz-Object-Lock-Legal-Hold": "PutObjectLegalHold",
		"If-Match": "GetObject",
	} {
		if _, ok := c.Header[header]; ok {
			c.actions = append(c.actions, "s3:"+action)
		}
	}
}
