package s3server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"
)

// Identity is a holder of keys.
type Identity struct {
	ARN, UserID, Account string // Account default: from the ARN
	AccessKey, Secret    string
	Token                string // session token of temporary credentials
	Inactive             bool   // as a key that was deactivated: not known to S3
	Expired              bool   // as a session that ended
}

// The identities of a server that is not told otherwise.
var (
	Admin    = Identity{ARN: "arn:aws:iam::111122223333:user/admin", UserID: "AIDAADMIN00000000001", AccessKey: "AKIAADMIN00000000001", Secret: "admin-secret"}
	Uploader = Identity{ARN: "arn:aws:iam::111122223333:user/buzon/vm-01", UserID: "AIDAUPLOADER00000001", AccessKey: "AKIAUPLOADER00000001", Secret: "uploader-secret"}
)

func (id Identity) account() string {
	if id.Account != "" {
		return id.Account
	}
	if p := strings.Split(id.ARN, ":"); len(p) > 4 {
		return p[4]
	}
	return ""
}

// WriteOnly allows s3:PutObject under one prefix to every known identity, and nothing else.
func WriteOnly(bucket, prefix string) func(Identity, string, string, string) bool {
	return func(who Identity, action, b, key string) bool {
		return who.AccessKey != "" && action == "s3:PutObject" && b == bucket && strings.HasPrefix(key, prefix)
	}
}

// AdminOr lets Admin do everything and asks next for the others.
func AdminOr(next func(Identity, string, string, string) bool) func(Identity, string, string, string) bool {
	return func(who Identity, action, bucket, key string) bool {
		return who.AccessKey == Admin.AccessKey || next(who, action, bucket, key)
	}
}

const (
	algorithm = "AWS4-HMAC-SHA256"
	stamp     = "20060102T150405Z"
	tolerance = 15 * time.Minute // API "REST authentication"
)

// identify finds out who calls, and with Verify whether that is proven. STS calls are verified in take,
// when their form has been read, because its hash is signed.
func (s *Server) identify(c *Call, r *http.Request) *answer {
	if c.Op == Other && c.Bucket == "" {
		return nil
	}
	return s.verify(c, r, r.Header.Get("X-Amz-Content-Sha256"))
}

// credential of an Authorization header: its parts, or ok false.
type credential struct {
	key, date, region, service string
	signed                     []string
	signature                  string
}

func readAuthorization(h string) (a credential, ok bool) {
	rest, ok := strings.CutPrefix(h, algorithm+" ")
	if !ok {
		return a, false
	}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			p := strings.Split(value, "/")
			if len(p) < 5 || p[len(p)-1] != "aws4_request" {
				return a, false
			}
			n := len(p)
			a.key, a.date, a.region, a.service = strings.Join(p[:n-4], "/"), p[n-4], p[n-3], p[n-2]
		case "SignedHeaders":
			a.signed = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a, a.key != "" && a.signature != "" && len(a.signed) > 0
}

// verify sets c.Identity, or answers why not. The order of the checks is S3's, as far as it shows.
func (s *Server) verify(c *Call, r *http.Request, payload string) *answer {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil // anonymous: permit decides
	}
	a, ok := readAuthorization(header)
	if !ok {
		return refuse(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
	}
	s.mu.Lock()
	id, known := s.keys[a.key]
	s.mu.Unlock()
	if !s.opts.Verify {
		if !known && len(s.opts.Identities) > 0 {
			id = s.opts.Identities[0]
		}
		c.Identity = id
		return nil
	}
	sts := a.service == "sts"
	if !known || id.Inactive {
		if sts {
			return refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
		}
		return refuse(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	}
	if !sts && a.region != s.opts.Region {
		e := refuse(400, "AuthorizationHeaderMalformed", fmt.Sprintf("The authorization header is malformed; the region '%s' is wrong; expecting '%s'", a.region, s.opts.Region))
		e.extra = "<Region>" + s.opts.Region + "</Region>"
		e.header = map[string]string{"X-Amz-Bucket-Region": s.opts.Region}
		return e
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(stamp, date)
	if err != nil || !strings.HasPrefix(date, a.date) {
		return refuse(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
	}
	if d := s.opts.Now().Sub(at); d > tolerance || d < -tolerance {
		if sts {
			return refuse(403, "SignatureDoesNotMatch", "Signature expired: "+date+" is now earlier than "+s.opts.Now().Add(-tolerance).UTC().Format(stamp))
		}
		return refuse(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	}
	if !hmac.Equal([]byte(a.signature), []byte(sign(id.Secret, a, r, payload))) {
		return refuse(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	}
	if token := r.Header.Get("X-Amz-Security-Token"); token != id.Token {
		if sts {
			return refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
		}
		return refuse(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	}
	if id.Expired {
		if sts {
			return refuse(403, "ExpiredToken", "The security token included in the request is expired")
		}
		return refuse(400, "ExpiredToken", "The provided token has expired.")
	}
	c.Identity = id
	return nil
}

// sign computes the signature that the request should carry (API "Signature Version 4: authorization header").
func sign(secret string, a credential, r *http.Request, payload string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + escape(r.URL.Path, true) + "\n" + canonicalQuery(r.URL.RawQuery) + "\n")
	for _, name := range a.signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch {
		case name == "host":
			value = r.Host
		case name == "content-length" && value == "":
			value = fmt.Sprint(r.ContentLength)
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(a.signed, ";") + "\n" + payload)
	sum := sha256.Sum256([]byte(b.String()))
	scope := a.date + "/" + a.region + "/" + a.service + "/aws4_request"
	text := algorithm + "\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	k := []byte("AWS4" + secret)
	for _, part := range []string{a.date, a.region, a.service, "aws4_request", text} {
		m := hmac.New(sha256.New, k)
		m.Write([]byte(part))
		k = m.Sum(nil)
	}
	return hex.EncodeToString(k)
}

func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var pairs []string
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			n, v = name, value
		}
		pairs = append(pairs, escape(n, false)+"="+escape(v, false))
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&")
}

// escape is AWS's URI encoding: all but unreserved characters, and the slash in paths.
func escape(s string, path bool) string {
	const hexadecimal = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		ch := s[i]
		switch {
		case ch >= 'A' && ch <= 'Z', ch >= 'a' && ch <= 'z', ch >= '0' && ch <= '9', ch == '-', ch == '_', ch == '.', ch == '~', path && ch == '/':
			b.WriteByte(ch)
		default:
			b.WriteByte('%')
			b.WriteByte(hexadecimal[ch>>4])
			b.WriteByte(hexadecimal[ch&15])
		}
	}
	return b.String()
}

// permit asks Allow for every action of the call, after what S3 answers before permissions.
func (s *Server) permit(c *Call) *answer {
	if c.Bucket == "" {
		if c.Op == ListBuckets && !s.allowed(c.Identity, "s3:ListAllMyBuckets", "", "") {
			if s.lacks(EverybodysLists) {
				return ok(`<ListAllMyBucketsResult><Owner><ID>owner</ID></Owner><Buckets></Buckets></ListAllMyBucketsResult>`)
			}
			return s.denied(c, "s3:ListAllMyBuckets")
		}
		return nil
	}
	b := s.bucket(c.Bucket)
	if b == nil {
		return refuse(404, "NoSuchBucket", "The specified bucket does not exist")
	}
	region := map[string]string{"X-Amz-Bucket-Region": b.Region}
	if b.Region != s.opts.Region {
		e := refuse(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")
		e.extra, e.header = "<Endpoint>"+c.Bucket+".s3."+b.Region+".amazonaws.com</Endpoint>", region
		return e
	}
	if want := c.Header.Get("X-Amz-Expected-Bucket-Owner"); want != "" && want != b.Owner {
		return refuse(403, "AccessDenied", "Access Denied")
	}
	for _, action := range c.actions {
		if !s.allowed(c.Identity, action, c.Bucket, c.Key) {
			e := s.denied(c, action)
			if c.Op == HeadBucket {
				e.header = region // API HeadBucket: also on 403
			}
			return e
		}
	}
	return nil
}

func (s *Server) allowed(who Identity, action, bucket, key string) bool {
	if s.opts.Allow != nil {
		return s.opts.Allow(who, action, bucket, key)
	}
	if who.AccessKey == "" {
		return false
	}
	if b := s.bucket(bucket); b != nil {
		return b.Owner == who.account()
	}
	return true
}

func (s *Server) denied(c *Call, action string) *answer {
	if c.Identity.ARN == "" {
		return refuse(403, "AccessDenied", "Access Denied")
	}
	resource := "arn:aws:s3:::" + c.Bucket
	if c.Key != "" {
		resource += "/" + c.Key
	}
	return refuse(403, "AccessDenied", fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %q because no identity-based policy allows the %s action", c.Identity.ARN, action, resource, action))
}
