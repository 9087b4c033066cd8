package sources

import "buzon/agent/internal/judge/sources/terraform"

// meaning is what a property of a resource means for rights.
type meaning uint8

const (
	// grants: a policy of the resource, which may let principals in. Where it isn't
	// there the resource lets in nobody beyond its account; where it is open, nobody
	// knows whom.
	grants meaning = iota + 1
	// limits: it only narrows what somebody may do who has the right already.
	limits
	// elsewhere: rights of principals of another kind (a certificate of IoT, a person
	// of IAM Identity Center, the resource itself).
	elsewhere
	// names: it names principals that get a right without a policy document.
	namesWhom
)

// permissions are the properties of resources by which somebody may get or lose
// rights, besides those that are read one by one: IAM's own types, the policies of
// buckets, access points and keys. Parts of a path are cut by ".", and lists
// are looked into.
//
// A document is found by its shape, whatever the property; this list says what
// else a value means. It was made from the schemas of CloudFormation's resources
// that PyPI's cfn-lint 1.58.0 ships (data/schemas/resources): of each, the
// properties at any depth whose names match
//
//	polic(y|ies)(document|text)?$|permission|principal|grant|AssumeRole|SessionPolic|InlinePolic
//
// gave 322 types. A person read those, and left out what gives no right in IAM:
// policies of scaling, retries, deletion, TLS, ACLs of networks, permissions within an
// application (QuickSight, Connect, GameLift) and within POSIX.
var permissions = map[string]map[string]meaning{
	"AWS::AIOps::InvestigationGroup":                     {"InvestigationGroupPolicy": grants},
	"AWS::APS::ResourcePolicy":                           {"PolicyDocument": grants},
	"AWS::ApiGateway::DomainNameV2":                      {"Policy": grants},
	"AWS::ApiGateway::RestApi":                           {"Policy": grants},
	"AWS::Backup::BackupVault":                           {"AccessPolicy": grants},
	"AWS::Backup::LogicallyAirGappedBackupVault":         {"AccessPolicy": grants},
	"AWS::Bedrock::KnowledgeBasePolicy":                  {"PolicyDocument": grants},
	"AWS::Bedrock::ResourcePolicy":                       {"PolicyDocument": grants},
	"AWS::BedrockAgentCore::ResourcePolicy":              {"Policy": grants},
	"AWS::Chatbot::MicrosoftTeamsChannelConfiguration":   {"GuardrailPolicies": limits},
	"AWS::Chatbot::SlackChannelConfiguration":            {"GuardrailPolicies": limits},
	"AWS::CloudTrail::ResourcePolicy":                    {"ResourcePolicy": grants},
	"AWS::CodeArtifact::Domain":                          {"PermissionsPolicyDocument": grants},
	"AWS::CodeArtifact::Repository":                      {"PermissionsPolicyDocument": grants},
	"AWS::CodeGuruProfiler::ProfilingGroup":              {"AgentPermissions.Principals": namesWhom},
	"AWS::Comprehend::DocumentClassifier":                {"ModelPolicy": grants},
	"AWS::Comprehend::EntityRecognizer":                  {"ModelPolicy": grants},
	"AWS::DSQL::Cluster":                                 {"PolicyDocument": grants},
	"AWS::DynamoDB::GlobalTable":                         {"Replicas.ResourcePolicy.PolicyDocument": grants, "Replicas.ReplicaStreamSpecification.ResourcePolicy.PolicyDocument": grants},
	"AWS::DynamoDB::Table":                               {"ResourcePolicy.PolicyDocument": grants, "StreamSpecification.ResourcePolicy.PolicyDocument": grants},
	"AWS::EC2::VPCEndpoint":                              {"PolicyDocument": limits},
	"AWS::EC2::VPCEndpointServicePermissions":            {"AllowedPrincipals": namesWhom},
	"AWS::EC2::VerifiedAccessEndpoint":                   {"PolicyDocument": elsewhere},
	"AWS::EC2::VerifiedAccessGroup":                      {"PolicyDocument": elsewhere},
	"AWS::ECR::PublicRepository":                         {"RepositoryPolicyText": grants},
	"AWS::ECR::RegistryPolicy":                           {"PolicyText": grants},
	"AWS::ECR::Repository":                               {"RepositoryPolicyText": grants},
	"AWS::ECR::RepositoryCreationTemplate":               {"RepositoryPolicy": grants},
	"AWS::EFS::FileSystem":                               {"FileSystemPolicy": grants},
	"AWS::EKS::AccessEntry":                              {"PrincipalArn": namesWhom},
	"AWS::EKS::PodIdentityAssociation":                   {"Policy": limits},
	"AWS::Elasticsearch::Domain":                         {"AccessPolicies": grants},
	"AWS::EntityResolution::PolicyStatement":             {"Principal": namesWhom},
	"AWS::EventSchemas::RegistryPolicy":                  {"Policy": grants},
	"AWS::Events::EventBus":                              {"Policy": grants},
	"AWS::Events::EventBusPolicy":                        {"Statement": grants, "Principal": namesWhom},
	"AWS::EventsV2::ResourcePolicy":                      {"PolicyDocument": grants},
	"AWS::FSx::S3AccessPointAttachment":                  {"S3AccessPoint.Policy": grants},
	"AWS::GlobalAccelerator::CrossAccountAttachment":     {"Principals": namesWhom},
	"AWS::IoT::Policy":                                   {"PolicyDocument": elsewhere},
	"AWS::Kinesis::ResourcePolicy":                       {"ResourcePolicy": grants},
	"AWS::LakeFormation::DataLakeSettings":               {"Admins.DataLakePrincipalIdentifier": namesWhom},
	"AWS::LakeFormation::Permissions":                    {"DataLakePrincipal.DataLakePrincipalIdentifier": namesWhom},
	"AWS::LakeFormation::PrincipalPermissions":           {"Principal.DataLakePrincipalIdentifier": namesWhom},
	"AWS::Lambda::LayerVersionPermission":                {"Principal": namesWhom},
	"AWS::Lambda::ResourcePolicy":                        {"PolicyDocument": grants},
	"AWS::Lex::ResourcePolicy":                           {"Policy": grants},
	"AWS::LicenseManager::Grant":                         {"Principals": namesWhom},
	"AWS::Logs::AccountPolicy":                           {"PolicyDocument": limits},
	"AWS::Logs::DeliveryDestination":                     {"DeliveryDestinationPolicy.DeliveryDestinationPolicy": grants},
	"AWS::Logs::Destination":                             {"DestinationPolicy": grants},
	"AWS::Logs::LogGroup":                                {"DataProtectionPolicy": limits, "ResourcePolicyDocument": grants},
	"AWS::Logs::ResourcePolicy":                          {"PolicyDocument": grants},
	"AWS::MSK::ClusterPolicy":                            {"Policy": grants},
	"AWS::MediaPackageV2::ChannelPolicy":                 {"Policy": grants},
	"AWS::MediaPackageV2::OriginEndpointPolicy":          {"Policy": grants},
	"AWS::MediaStore::Container":                         {"Policy": grants},
	"AWS::MediaTailor::ChannelPolicy":                    {"Policy": grants},
	"AWS::NetworkManager::CoreNetwork":                   {"PolicyDocument": elsewhere},
	"AWS::OSIS::Pipeline":                                {"ResourcePolicy.Policy": grants},
	"AWS::Oam::Sink":                                     {"Policy": grants},
	"AWS::Omics::SequenceStore":                          {"S3AccessPolicy": grants},
	"AWS::OpenSearchServerless::AccessPolicy":            {"Policy": namesWhom},
	"AWS::OpenSearchService::Domain":                     {"AccessPolicies": grants},
	"AWS::Organizations::Policy":                         {"Content": limits},
	"AWS::Organizations::ResourcePolicy":                 {"Content": grants},
	"AWS::PaymentCryptography::Key":                      {"Policy": grants},
	"AWS::QBusiness::Permission":                         {"Principal": namesWhom},
	"AWS::RAM::PrincipalAssociation":                     {"Principal": namesWhom},
	"AWS::RAM::ResourceShare":                            {"Principals": namesWhom},
	"AWS::RUM::AppMonitor":                               {"ResourcePolicy.PolicyDocument": grants},
	"AWS::Redshift::Cluster":                             {"NamespaceResourcePolicy": grants},
	"AWS::RedshiftServerless::Namespace":                 {"NamespaceResourcePolicy": grants},
	"AWS::RolesAnywhere::Profile":                        {"SessionPolicy": limits},
	"AWS::S3::MultiRegionAccessPointPolicy":              {"Policy": grants},
	"AWS::S3Express::AccessPoint":                        {"Policy": grants},
	"AWS::S3Express::BucketPolicy":                       {"PolicyDocument": grants},
	"AWS::S3Files::FileSystemPolicy":                     {"Policy": grants},
	"AWS::S3ObjectLambda::AccessPointPolicy":             {"PolicyDocument": grants},
	"AWS::S3Outposts::AccessPoint":                       {"Policy": grants},
	"AWS::S3Outposts::BucketPolicy":                      {"PolicyDocument": grants},
	"AWS::S3Tables::TableBucketPolicy":                   {"ResourcePolicy": grants},
	"AWS::S3Tables::TablePolicy":                         {"ResourcePolicy": grants},
	"AWS::S3Vectors::VectorBucketPolicy":                 {"Policy": grants},
	"AWS::SMSVOICE::ResourcePolicy":                      {"PolicyDocument": grants},
	"AWS::SNS::Topic":                                    {"DataProtectionPolicy": limits, "ArchivePolicy": limits},
	"AWS::SNS::TopicInlinePolicy":                        {"PolicyDocument": grants},
	"AWS::SNS::TopicPolicy":                              {"PolicyDocument": grants},
	"AWS::SQS::QueueInlinePolicy":                        {"PolicyDocument": grants},
	"AWS::SQS::QueuePolicy":                              {"PolicyDocument": grants},
	"AWS::SSM::ResourcePolicy":                           {"Policy": grants},
	"AWS::SSO::PermissionSet":                            {"InlinePolicy": elsewhere},
	"AWS::SageMaker::ModelPackageGroup":                  {"ModelPackageGroupPolicy": grants},
	"AWS::SecretsManager::ResourcePolicy":                {"ResourcePolicy": grants},
	"AWS::SecurityLake::Subscriber":                      {"SubscriberIdentity.Principal": namesWhom},
	"AWS::ServiceCatalog::PortfolioPrincipalAssociation": {"PrincipalARN": namesWhom},
	"AWS::Signer::ProfilePermission":                     {"Principal": namesWhom},
	"AWS::Transfer::User":                                {"Policy": limits},
	"AWS::Transfer::WebApp":                              {"WebAppEndpointPolicy": limits},
	"AWS::VpcLattice::AuthPolicy":                        {"Policy": grants},
	"AWS::VpcLattice::ResourcePolicy":                    {"Policy": grants},
	"AWS::XRay::ResourcePolicy":                          {"PolicyDocument": grants},
	terraform.KMSGrant:                                   {"GranteePrincipal": namesWhom},
}
