package s3server

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// answer is what goes back: with a code it is an error.
type answer struct {
	status        int
	code, message string
	extra         string // more elements of the error
	header        map[string]string
	body          []byte
	size          int64  // of HEAD
	checksum      string // that stands in body
}

func refuse(status int, code, message string) *answer {
	return &answer{status: status, code: code, message: message}
}

func ok(body string, args ...any) *answer {
	a := &answer{status: 200}
	if body != "" {
		a.body = fmt.Appendf([]byte(xml.Header), body, args...)
		a.header = map[string]string{"Content-Type": "application/xml"}
	}
	return a
}

func (a *answer) xml(c *Call, id int64) []byte {
	if c.Op == GetCallerIdentity || c.Op == Other && c.Bucket == "" {
		return fmt.Appendf(nil, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>REQ%x</RequestId></ErrorResponse>`, a.code, text(a.message), id)
	}
	return fmt.Appendf([]byte(xml.Header), `<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>REQ%x</RequestId></Error>`, a.code, text(a.message), a.extra, id)
}

// text escapes for XML.
func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}

// answer does the call.
func (s *Server) answer(c *Call, body content) *answer {
	if s.lacks(NoEncoding) {
		c.Query.Del("encoding-type")
	}
	switch c.Op {
	case GetCallerIdentity:
		return s.callerIdentity(c)
	case ListBuckets:
		return s.listBuckets()
	case HeadBucket:
		a := ok("")
		a.header = map[string]string{"X-Amz-Bucket-Region": s.bucket(c.Bucket).Region}
		a.size = -1
		return a
	case PutObject:
		return s.putObject(c, body)
	case CopyObject:
		return s.copyObject(c)
	case GetObject, HeadObject, GetObjectAttributes:
		return s.readObject(c)
	case DeleteObject:
		return s.deleteObject(c, c.Key, c.Query.Get("versionId"))
	case DeleteObjects:
		return s.deleteObjects(c, body)
	case ListObjects:
		return s.listObjects(c)
	case ListObjectVersions:
		return s.listVersions(c)
	case ListMultipartUploads:
		return s.listUploads(c)
	case CreateMultipartUpload:
		return s.createUpload(c)
	case UploadPart:
		return s.uploadPart(c, body)
	case CompleteMultipartUpload:
		return s.complete(c, body)
	case AbortMultipartUpload:
		return s.abort(c)
	case ListParts:
		return s.listParts(c)
	default:
		return s.subResource(c, body)
	}
}

func (s *Server) callerIdentity(c *Call) *answer {
	if s.opts.NoSTS {
		return refuse(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	}
	if c.Identity.AccessKey == "" {
		return refuse(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	id := c.Identity
	return ok(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>%s</Arn><UserId>%s</UserId><Account>%s</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>sts</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
		text(id.ARN), text(id.UserID), id.account())
}

// subResource answers the rest: what a gate's probes and an audit's controls may ask.
func (s *Server) subResource(c *Call, body content) *answer {
	b := s.bucket(c.Bucket)
	const acl = `<AccessControlPolicy><Owner><ID>owner</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>owner</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`
	if c.Key != "" {
		o, fail := s.find(c)
		if fail != nil {
			return fail
		}
		switch c.Op {
		case "GetObjectAcl":
			return ok(acl)
		case "GetObjectTagging":
			return ok(`<Tagging><TagSet>%s</TagSet></Tagging>`, tagSet(o.Header.Get("X-Amz-Tagging")))
		case "PutObjectTagging":
			return ok("")
		case "PutObjectAcl":
			return refuse(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
		default:
			return refuse(501, "NotImplemented", "not implemented here")
		}
	}
	switch c.Op {
	case "GetBucketAcl":
		return ok(acl)
	case GetBucketPolicy:
		if b.Policy == "" {
			return refuse(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
		}
		return &answer{status: 200, body: []byte(b.Policy), header: map[string]string{"Content-Type": "application/json"}}
	case "PutBucketPolicy":
		s.mu.Lock()
		b.Policy = string(body.data)
		s.mu.Unlock()
		return &answer{status: 204}
	case "GetBucketVersioning":
		if b.Versioned {
			return ok(`<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`)
		}
		return ok(`<VersioningConfiguration></VersioningConfiguration>`)
	case "GetBucketLocation":
		return ok(`<LocationConstraint>%s</LocationConstraint>`, b.Region)
	case "CreateBucket":
		return refuse(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	default:
		return refuse(501, "NotImplemented", "not implemented here")
	}
}

func tagSet(query string) string {
	var b strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			fmt.Fprintf(&b, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", text(k), text(v))
		}
	}
	return b.String()
}
