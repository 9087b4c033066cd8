package audit

import (
	"strings"
	"sync"
)

// keyNames are condition keys as AWS's pages write them (IAM User Guide, "AWS global
// condition context keys"; Service Authorization Reference, S3, STS, KMS and IAM).
// reach knows them in lower case: keys are matched without case.
const keyNames = `
aws:CalledVia aws:CalledViaFirst aws:CalledViaLast aws:CurrentTime aws:EpochTime aws:FederatedProvider
aws:MultiFactorAuthAge aws:MultiFactorAuthPresent aws:PrincipalAccount aws:PrincipalArn aws:PrincipalIsAWSService
aws:PrincipalOrgID aws:PrincipalOrgPaths aws:PrincipalServiceName aws:PrincipalServiceNamesList aws:PrincipalType
aws:referer aws:RequestedRegion aws:ResourceAccount aws:ResourceOrgID aws:ResourceOrgPaths aws:SecureTransport
aws:SourceAccount aws:SourceArn aws:SourceIdentity aws:SourceIp aws:SourceOrgID aws:SourceOrgPaths aws:SourceVpc
aws:SourceVpcArn aws:SourceVpce aws:TagKeys aws:TokenIssueTime aws:UserAgent aws:userid aws:username
aws:ViaAWSService aws:VpceAccount aws:VpceOrgID aws:VpceOrgPaths aws:VpcSourceIp aws:PrincipalTag/ aws:RequestTag/
aws:ResourceTag/ aws:Ec2InstanceSourceVpc aws:Ec2InstanceSourcePrivateIPv4 aws:ChatbotSourceArn aws:AssumedRoot
aws:SignInSessionArn ec2:RoleDelivery ec2:SourceInstanceArn lambda:SourceFunctionArn
s3:AccessGrantsInstanceArn s3:AccessGrantScope s3:AccessPointNetworkOrigin s3:authType s3:BucketTag/
s3:DataAccessPointAccount s3:DataAccessPointArn s3:ExistingJobOperation s3:ExistingJobPriority s3:ExistingObjectTag/
s3:InventoryAccessibleOptionalFields s3:JobSuspendedCause s3:LocationConstraint s3:ObjectCreationOperation
s3:RequestJobOperation s3:RequestJobPriority s3:RequestObjectTag/ s3:RequestObjectTagKeys s3:ResourceAccount
s3:signatureAge s3:signatureversion s3:TlsVersion s3:VersionId
sts:AWSServiceName sts:DurationSeconds sts:ExternalId sts:RequestContextProviders sts:RoleSessionName sts:SourceIdentity
sts:TransitiveTagKeys sts:TaskPolicyArn
kms:CallerAccount kms:CustomerMasterKeySpec kms:EncryptionAlgorithm kms:EncryptionContext: kms:EncryptionContextKeys
kms:GranteePrincipal kms:GrantConstraintType kms:GrantIsForAWSResource kms:GrantOperations kms:KeyOrigin kms:KeySpec
kms:KeyUsage kms:MultiRegion kms:ReEncryptOnSameKey kms:RequestAlias kms:ResourceAliases kms:RetiringPrincipal
kms:ViaService
iam:AssociatedResourceArn iam:AWSServiceName iam:FIDO-certification iam:OrganizationsPolicyId iam:PassedToService
iam:PermissionsBoundary iam:PolicyARN iam:RegisterSecurityKey iam:ResourceTag/`

var spellings = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, key := range strings.Fields(keyNames) {
		m[strings.ToLower(key)] = key
	}
	return m
})

// keyName is how AWS writes a key that stands in lower case; of keys that aren't in
// the list, how the documents write it. What follows a slash or a second colon is
// somebody's own, and stands as the documents have it.
func (q *inquiry) keyName(lower string) string {
	if name, ok := spellings()[lower]; ok {
		return name
	}
	for _, src := range q.s.Set.Sources {
		if src.Document == nil {
			continue
		}
		for i := range src.Document.Statements {
			for _, c := range src.Document.Statements[i].Conditions {
				if strings.ToLower(c.Key) == lower {
					return familyName(c.Key)
				}
			}
		}
	}
	return familyName(lower)
}

// familyName spells the beginning of a key that belongs to a family.
func familyName(key string) string {
	end := strings.IndexByte(key, '/')
	if end < 0 {
		end = strings.LastIndexByte(key, ':')
	}
	if name, ok := spellings()[strings.ToLower(key[:end+1])]; ok {
		return name + key[end+1:]
	}
	return key
}

// surrounds tells of a key, in lower case, whether it is set by where and when a
// request is made, and not by who makes it or what it says.
func surrounds(key string) bool {
	switch key {
	case "aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:securetransport", "aws:sourceip", "aws:sourcevpc",
		"aws:sourcevpcarn", "aws:sourcevpce", "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths", "aws:vpcsourceip",
		"aws:viaawsservice", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "s3:tlsversion":
		return true
	}
	return false
}
