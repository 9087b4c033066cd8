package gate

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"buzon/scripts/load/s3server"
)

// The probes are what guards the promise that a key can do nothing else, so
// they are written out again.
func TestEveryProbeOfTheGate(t *testing.T) {
	want := map[ID]string{
		"get-object": "s3:GetObject", "head-object": "s3:GetObject", "get-attributes": "s3:GetObjectAttributes",
		"get-acl": "s3:GetObjectAcl", "get-tags": "s3:GetObjectTagging",
		"list-bucket": "s3:ListBucket", "list-versions": "s3:ListBucketVersions", "list-uploads": "s3:ListBucketMultipartUploads",
		"list-buckets": "s3:ListAllMyBuckets", "get-policy": "s3:GetBucketPolicy",
		"put-acl": "s3:PutObjectAcl", "put-tags": "s3:PutObjectTagging", "put-beside": "s3:PutObject",
		"delete-object": "s3:DeleteObject", "delete-version": "s3:DeleteObjectVersion",
	}
	got := map[ID]string{}
	for _, p := range Probes {
		got[p.ID] = p.Permission
	}
	if !maps.Equal(got, want) {
		t.Errorf("the probes are %v", got)
	}
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	passed(t, p.pass(settings()))
	canary := prefix + ".buzon/canary"
	var beside, absent, version int
	for _, c := range h.calls {
		switch c.Op {
		case s3server.GetObject, s3server.HeadObject, s3server.GetObjectAttributes, "GetObjectAcl", "GetObjectTagging", "PutObjectAcl", "PutObjectTagging":
			if c.Key != canary {
				t.Errorf("%s of %s proves nothing", c.Op, c.Key)
			}
		case s3server.PutObject:
			size := int64(0)
			if c.Header.Get("X-Amz-Trailer") != "" { // a body of its own, at a store that is not AWS
				size = 6
			}
			if c.Size != size || c.Header.Get("If-None-Match") != "*" {
				t.Errorf("%s: %d bytes, If-None-Match %q", c.Key, c.Size, c.Header.Get("If-None-Match"))
			}
			if c.Key == ".buzon-probe" {
				beside++
				if c.Header.Get("X-Amz-Checksum-Crc64nvme") == "AAAAAAAAAAA=" {
					t.Error("the PUT beside the prefix would be stored where it is allowed")
				}
			} else if c.Header.Get("X-Amz-Expected-Bucket-Owner") != "111122223333" {
				t.Errorf("%s is sent to whoever owns the bucket", c.Key)
			}
		case s3server.DeleteObject:
			if c.Key != prefix+".buzon/absent" {
				t.Fatalf("a delete of %s", c.Key)
			}
			if c.Query.Has("versionId") {
				version++
			} else {
				absent++
				if c.Header.Get("If-Match") != "*" {
					t.Error("the delete may leave a marker")
				}
			}
		default: // asks of the bucket or the account
		}
	}
	if beside != 1 || absent != 1 || version != 1 {
		t.Errorf("%d puts beside, %d deletes, %d of a version", beside, absent, version)
	}
}

func TestADeleteMarkerIsSpokenOf(t *testing.T) {
	base := s3server.WriteOnly(bucket, prefix)
	p := at(t, s3server.Options{NoIfMatch: true, Allow: func(who s3server.Identity, action, b, key string) bool {
		return action == "s3:DeleteObject" || base(who, action, b, key)
	}})
	r := p.pass(settings())
	failed(t, r, ProbeMarker)
	if c := r.First(); c.Permission != "s3:DeleteObject" || !strings.Contains(c.Args["what"], prefix+".buzon/absent") {
		t.Errorf("%+v", c)
	}
}

func TestABucketOfSomebodyElseIsLeftAlone(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear, Buckets: []s3server.Bucket{{Name: bucket, Owner: "999988887777"}}})
	failed(t, p.pass(settings()), OtherOwner)
	// Whose it is was settled by a PUT without the owner's header, which nobody stores.
	if ops := h.take(); !slices.Equal(ops[len(ops)-2:], []string{"PutObject", "PutObject"}) || slices.Contains(ops, "DeleteObject") {
		t.Errorf("asked %v", ops)
	}
	if n := len(p.server.Objects(bucket)); n > 0 {
		t.Errorf("%d objects were left there", n)
	}
}

func TestWithoutItsCanaryReadingIsNotAsked(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear, Allow: func(s3server.Identity, string, string, string) bool { return false }})
	failed(t, p.pass(settings()), CannotWriteOrElse)
	ops := h.take()
	if slices.Contains(ops, "GetObject") || !slices.Contains(ops, "ListObjects") || !slices.Contains(ops, "DeleteObject") {
		t.Errorf("asked %v", ops)
	}
}
