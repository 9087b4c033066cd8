package s3server

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

const moment = "2006-01-02T15:04:05.000Z"

func (s *Server) listBuckets() *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		fmt.Fprintf(&b, "<Bucket><Name>%s</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>", name)
	}
	return ok(`<ListAllMyBucketsResult><Owner><ID>owner</ID></Owner><Buckets>%s</Buckets></ListAllMyBucketsResult>`, b.String())
}

// page is what a listing asks for.
type page struct {
	prefix, delimiter, after string
	most                     int
	encode                   func(string) string
}

func (c *Call) page(after string) page {
	p := page{prefix: c.Query.Get("prefix"), delimiter: c.Query.Get("delimiter"), after: after, most: 1000, encode: text}
	if n, err := strconv.Atoi(c.Query.Get("max-keys")); err == nil && n < p.most {
		p.most = n
	}
	if c.Query.Get("encoding-type") == "url" {
		p.encode = func(s string) string { return escape(s, true) }
	}
	return p
}

// encoding repeats that keys are encoded.
func (c *Call) encoding() string {
	if c.Query.Get("encoding-type") == "url" {
		return "<EncodingType>url</EncodingType>"
	}
	return ""
}

// cut goes through sorted keys and calls each for those on this page; it returns the last name given and
// whether more follow.
func (p page) cut(keys []string, common func(string), each func(string)) (last string, more bool) {
	n := 0
	for _, k := range keys {
		if !strings.HasPrefix(k, p.prefix) || k <= p.after {
			continue
		}
		folder := ""
		if i := strings.Index(k[len(p.prefix):], p.delimiter); p.delimiter != "" && i >= 0 {
			folder = k[:len(p.prefix)+i+len(p.delimiter)]
			if folder == last || folder == p.after || strings.HasPrefix(p.after, folder) {
				continue
			}
		}
		if n == p.most {
			return last, true
		}
		n++
		if folder != "" {
			last = folder
			common(folder)
		} else {
			last = k
			each(k)
		}
	}
	return last, false
}

func (b *bucket) keys(all bool) []string {
	keys := make([]string, 0, len(b.objects))
	for k := range b.objects {
		if all || b.current(k) != nil {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

func (s *Server) listObjects(c *Call) *answer {
	v2 := c.Query.Get("list-type") == "2"
	after := c.Query.Get("marker")
	if v2 {
		after = max(c.Query.Get("start-after"), c.Query.Get("continuation-token"))
	}
	p := c.page(after)
	b := s.bucket(c.Bucket)
	s.mu.Lock()
	defer s.mu.Unlock()
	var out strings.Builder
	n := 0
	last, more := p.cut(b.keys(false), func(folder string) {
		n++
		fmt.Fprintf(&out, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", p.encode(folder))
	}, func(k string) {
		n++
		o := b.current(k)
		fmt.Fprintf(&out, "<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>%s</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>",
			p.encode(k), o.Modified.UTC().Format(moment), text(o.ETag), o.Size)
	})
	next := ""
	if more {
		next = "<NextMarker>" + p.encode(last) + "</NextMarker>"
		if v2 {
			next = "<NextContinuationToken>" + text(last) + "</NextContinuationToken>"
		}
	}
	return ok(`<ListBucketResult><Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys>%s<IsTruncated>%v</IsTruncated>%s%s</ListBucketResult>`,
		c.Bucket, p.encode(p.prefix), n, p.most, c.encoding(), more, next, out.String())
}

// listVersions gives whole keys: a page may hold more than max-keys versions when a key has many.
func (s *Server) listVersions(c *Call) *answer {
	p := c.page(c.Query.Get("key-marker"))
	b := s.bucket(c.Bucket)
	s.mu.Lock()
	defer s.mu.Unlock()
	var out strings.Builder
	last, more := p.cut(b.keys(true), func(folder string) {
		fmt.Fprintf(&out, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", p.encode(folder))
	}, func(k string) {
		versions := b.objects[k]
		for i := len(versions) - 1; i >= 0; i-- {
			o, latest := versions[i], i == len(versions)-1
			id := o.VersionID
			if id == "" {
				id = "null"
			}
			head := fmt.Sprintf("<Key>%s</Key><VersionId>%s</VersionId><IsLatest>%v</IsLatest><LastModified>%s</LastModified>", p.encode(k), id, latest, o.Modified.UTC().Format(moment))
			if o.Deleted {
				fmt.Fprintf(&out, "<DeleteMarker>%s</DeleteMarker>", head)
			} else {
				fmt.Fprintf(&out, "<Version>%s<ETag>%s</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Version>", head, text(o.ETag), o.Size)
			}
		}
	})
	next := ""
	if more {
		next = "<NextKeyMarker>" + p.encode(last) + "</NextKeyMarker>"
	}
	return ok(`<ListVersionsResult><Name>%s</Name><Prefix>%s</Prefix><MaxKeys>%d</MaxKeys>%s<IsTruncated>%v</IsTruncated>%s%s</ListVersionsResult>`,
		c.Bucket, p.encode(p.prefix), p.most, c.encoding(), more, next, out.String())
}

func (s *Server) listUploads(c *Call) *answer {
	var out strings.Builder
	for _, u := range s.Uploads() {
		if u.Bucket == c.Bucket && strings.HasPrefix(u.Key, c.Query.Get("prefix")) {
			fmt.Fprintf(&out, "<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>", text(u.Key), u.ID)
		}
	}
	return ok(`<ListMultipartUploadsResult><Bucket>%s</Bucket><IsTruncated>false</IsTruncated>%s</ListMultipartUploadsResult>`, c.Bucket, out.String())
}

func (s *Server) listParts(c *Call) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, fail := s.open(c)
	if fail != nil || u.done != nil {
		return Fault{Name: LostUpload}.refusal()
	}
	var out strings.Builder
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		p := u.parts[n]
		fmt.Fprintf(&out, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><Size>%d</Size></Part>", n, text(p.etag), p.size)
	}
	return ok(`<ListPartsResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId><IsTruncated>false</IsTruncated>%s</ListPartsResult>`, c.Bucket, text(c.Key), u.ID, out.String())
}
