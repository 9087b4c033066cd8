package s3server

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const noETag = `"00000000000000000000000000000000-1"` // of an object whose MD5 was not computed

func (s *Server) putObject(c *Call, in content) *answer {
	if len(c.Key) > 1024 {
		return refuse(400, "KeyTooLongError", "Your key is too long")
	}
	if in.size > 5<<30 {
		return refuse(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	if metadataSize(c.Header) > 2048 {
		return refuse(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	etag := noETag
	if in.md5 != "" {
		etag = `"` + in.md5 + `"`
	}
	b := s.bucket(c.Bucket)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Bytes += in.size
	var o *Object
	if s.opts.Keep == KeepNothing {
		s.stats.Objects++
		o = &Object{ETag: etag, claims: in.claims}
	} else {
		o = &Object{Body: in.data, Size: in.size, CRC64: in.crc64, ETag: etag, Header: kept(c.Header), claims: in.claims, kind: "FULL_OBJECT"}
		if a := s.store(c, b, o); a != nil {
			return a
		}
	}
	a := &answer{status: 200, header: map[string]string{"Etag": etag}}
	behind := c.Header.Get("X-Amz-Trailer") != "" && s.lacks(NoTrailerEcho)
	if !s.opts.NoEcho && !behind && (!s.opts.Trust || len(in.claims) > 0) {
		for name, v := range o.checksums() {
			a.header["X-Amz-Checksum-"+title(name)] = v
		}
		a.header["X-Amz-Checksum-Type"] = "FULL_OBJECT"
	}
	if o.VersionID != "" {
		a.header["X-Amz-Version-Id"] = o.VersionID
	}
	return a
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// metadataSize counts names and values of user metadata (UG "Working with object metadata": 2 KB).
func metadataSize(h http.Header) int {
	n := 0
	for name, v := range h {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			n += len(rest) + len(v[0])
		}
	}
	return n
}

// find is the version that the call asks for.
func (s *Server) find(c *Call) (*Object, *answer) {
	b, version := s.bucket(c.Bucket), c.Query.Get("versionId")
	mayList := s.allowed(c.Identity, "s3:ListBucket", c.Bucket, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == "" {
		if o := b.current(c.Key); o != nil {
			return o, nil
		}
		if !mayList { // without s3:ListBucket a missing key is hidden (API HeadObject)
			return nil, refuse(403, "AccessDenied", "Access Denied")
		}
		return nil, refuse(404, "NoSuchKey", "The specified key does not exist.")
	}
	for _, o := range b.objects[c.Key] {
		if o.VersionID == version || o.VersionID == "" && version == "null" {
			if o.Deleted {
				return nil, refuse(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
			}
			return o, nil
		}
	}
	return nil, refuse(404, "NoSuchVersion", "The specified version does not exist.")
}

func (s *Server) readObject(c *Call) *answer {
	o, fail := s.find(c)
	if fail != nil {
		return fail
	}
	h := map[string]string{"Last-Modified": o.Modified.UTC().Format(http.TimeFormat)}
	if o.VersionID != "" {
		h["X-Amz-Version-Id"] = o.VersionID
	}
	if c.Op == GetObjectAttributes {
		return attributes(c, o, h)
	}
	h["Etag"] = o.ETag
	for name, v := range o.Header {
		h[name] = v[0]
	}
	delete(h, "X-Amz-Tagging")
	if c.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		for name, v := range o.checksums() {
			h["X-Amz-Checksum-"+title(name)] = v
		}
		h["X-Amz-Checksum-Type"] = o.kind
	}
	a := &answer{status: 200, header: h, size: o.Size}
	if c.Op == GetObject {
		if s.opts.Keep != KeepAll {
			return refuse(501, "NotImplemented", "this server does not keep bytes")
		}
		a.body = o.Body
		if from, to, ok := byteRange(c.Header.Get("Range"), o.Size); ok {
			a.status, a.body = 206, o.Body[from:to+1]
			h["Content-Range"] = fmt.Sprintf("bytes %d-%d/%d", from, to, o.Size)
			delete(h, "X-Amz-Checksum-Crc64nvme")
		}
	}
	return a
}

func byteRange(h string, size int64) (from, to int64, ok bool) {
	spec, ok := strings.CutPrefix(h, "bytes=")
	if !ok || size == 0 {
		return 0, 0, false
	}
	a, b, _ := strings.Cut(spec, "-")
	from, err := strconv.ParseInt(a, 10, 64)
	if err != nil || from >= size {
		return 0, 0, false
	}
	to = size - 1
	if n, err := strconv.ParseInt(b, 10, 64); err == nil {
		to = min(n, to)
	}
	return from, to, to >= from
}

func attributes(c *Call, o *Object, h map[string]string) *answer {
	want := strings.Join(c.Header.Values("X-Amz-Object-Attributes"), ",")
	var b strings.Builder
	b.WriteString("<GetObjectAttributesResponse>")
	if strings.Contains(want, "ETag") {
		fmt.Fprintf(&b, "<ETag>%s</ETag>", strings.Trim(o.ETag, `"`))
	}
	if strings.Contains(want, "Checksum") {
		b.WriteString("<Checksum>")
		for name, v := range o.checksums() {
			fmt.Fprintf(&b, "<Checksum%s>%s</Checksum%s>", strings.ToUpper(name), v, strings.ToUpper(name))
		}
		fmt.Fprintf(&b, "<ChecksumType>%s</ChecksumType></Checksum>", o.kind)
	}
	if strings.Contains(want, "ObjectParts") && o.Parts > 0 {
		fmt.Fprintf(&b, "<ObjectParts><TotalPartsCount>%d</TotalPartsCount></ObjectParts>", o.Parts)
	}
	if strings.Contains(want, "ObjectSize") {
		fmt.Fprintf(&b, "<ObjectSize>%d</ObjectSize>", o.Size)
	}
	if strings.Contains(want, "StorageClass") {
		b.WriteString("<StorageClass>STANDARD</StorageClass>")
	}
	b.WriteString("</GetObjectAttributesResponse>")
	a := ok("%s", b.String())
	for k, v := range h {
		a.header[k] = v
	}
	return a
}

func (s *Server) copyObject(c *Call) *answer {
	source, err := url.PathUnescape(strings.TrimPrefix(c.Header.Get("X-Amz-Copy-Source"), "/"))
	if err != nil {
		return refuse(400, "InvalidArgument", "Copy Source must mention the source bucket and key")
	}
	from, key, _ := strings.Cut(source, "/")
	if s.bucket(from) == nil {
		return refuse(404, "NoSuchBucket", "The specified bucket does not exist")
	}
	if !s.allowed(c.Identity, "s3:GetObject", from, key) {
		return refuse(403, "AccessDenied", "Access Denied")
	}
	was, fail := s.find(&Call{Bucket: from, Key: key, Identity: c.Identity})
	if fail != nil {
		return fail
	}
	b := s.bucket(c.Bucket)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := *was
	if a := s.store(c, b, &o); a != nil {
		return a
	}
	return ok(`<CopyObjectResult><ETag>%s</ETag><LastModified>%s</LastModified></CopyObjectResult>`, text(o.ETag), o.Modified.UTC().Format(moment))
}

func (s *Server) deleteObject(c *Call, key, version string) *answer {
	b := s.bucket(c.Bucket)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &answer{status: 204, header: map[string]string{}}
	if match := c.Header.Get("If-Match"); match != "" && !s.opts.NoIfMatch && b.current(key) == nil {
		return refuse(404, "NoSuchKey", "The specified key does not exist.")
	}
	switch {
	case version != "":
		v := b.objects[key]
		for i, o := range v {
			if o.VersionID == version {
				b.objects[key] = append(v[:i:i], v[i+1:]...)
			}
		}
	case b.Versioned:
		id := fmt.Sprintf("v%08d", s.nextID.Add(1))
		b.objects[key] = append(b.objects[key], &Object{Bucket: c.Bucket, Key: key, VersionID: id, Deleted: true, Modified: s.opts.Now()})
		a.header["X-Amz-Delete-Marker"], a.header["X-Amz-Version-Id"] = "true", id
		return a
	default:
		delete(b.objects, key)
	}
	if len(b.objects[key]) == 0 {
		delete(b.objects, key)
	}
	return a
}

func (s *Server) deleteObjects(c *Call, in content) *answer {
	var asked struct {
		Object []struct {
			Key     string
			Version string `xml:"VersionId"`
		}
	}
	if err := xml.Unmarshal(in.data, &asked); err != nil {
		return refuse(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.")
	}
	var b strings.Builder
	for _, o := range asked.Object {
		action := "s3:DeleteObject"
		if o.Version != "" {
			action = "s3:DeleteObjectVersion"
		}
		if !s.allowed(c.Identity, action, c.Bucket, o.Key) { // API DeleteObjects: 200 with an error for each key
			fmt.Fprintf(&b, "<Error><Key>%s</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", text(o.Key))
			continue
		}
		s.deleteObject(c, o.Key, o.Version)
		fmt.Fprintf(&b, "<Deleted><Key>%s</Key></Deleted>", text(o.Key))
	}
	return ok("<DeleteResult>%s</DeleteResult>", b.String())
}
