"""What Set-OrganizationConfig has in a tenant or on Exchange Server, and a relay has not."""

from __future__ import annotations

from posthouse.cmdlets.exchange.parameters import DOMAIN_CONTROLLER, ON_PREMISES, refused

ELSEWHERE = (
    *DOMAIN_CONTROLLER,
    *refused("the Received line names the client (RFC 5321 4.4)", "MaskClientIpInReceivedHeadersEnabled"),
    *refused(
        "an address is one mailbox, whatever its local part holds", "DisablePlusAddressInRecipients RecipientDelimiters"
    ),
    *refused("there is no filter for spam here", "IPListBlocked SCLJunkThreshold"),
    *refused(
        "recipients are routed by outbound connectors", "SharedDomainEmailAddressFlowEnabled InRegionRoutingEnabled"
    ),
    *refused("the audit log is always written", "AuditDisabled"),
    *refused(
        "it is about signing in to Microsoft 365 or Outlook; see posthouse admin",
        "ActivityBasedAuthenticationTimeoutEnabled ActivityBasedAuthenticationTimeoutInterval "
        "ActivityBasedAuthenticationTimeoutWithSingleSignOnEnabled AdfsAudienceUris AdfsAuthenticationConfiguration "
        "AdfsEncryptCertificateThumbprint AdfsIssuer AdfsSignCertificateThumbprints DefaultAuthenticationPolicy "
        "EnforceExoAppRbacPermissions OAuth2ClientProfileEnabled PerTenantSwitchToESTSEnabled "
        "PublicComputersDetectionEnabled RefreshSessionEnabled",
        switches="EnableAuthAdminReadSession EnableOrgWidePermissionOnScopedRoles",
    ),
    *refused(
        ON_PREMISES,
        "ACLableSyncedObjectEnabled CustomerFeedbackEnabled DataClassifications DistributionGroupDefaultOU "
        "EnableDownloadDomains Industry IsExcludedFromOffboardMigration IsExcludedFromOnboardMigration "
        "IsFfoMigrationInProgress ManagedFolderHomepage MapiHttpEnabled MaxConcurrentMigrations "
        "MicrosoftExchangeRecipientEmailAddresses MicrosoftExchangeRecipientEmailAddressPolicyEnabled "
        "MicrosoftExchangeRecipientPrimarySmtpAddress MicrosoftExchangeRecipientReplyRecipient MitigationsEnabled "
        "OabShadowDistributionOldestFileAgeLimit OrganizationSummary PermanentlyDeleteDisabled "
        "PublicFolderContentReplicationDisabled UMAvailableLanguages WACDiscoveryEndpoint",
        switches="EmptyAddressBookForNonExchangeUsers MailboxDataEncryptionEnabled UseIcsSyncStateStreaming",
    ),
    *refused(
        "it is about mailboxes, calendars, groups or Outlook, and a relay has none",
        "ActionableMessagesExtenalAccessTokenEnabled AppsForOfficeEnabled AsyncSendEnabled "
        "AutoArchivingThresholdPercentage AutodiscoverPartialDirSync AutoEnableArchiveMailbox "
        "AutomaticForcedReadReceiptEnabled BlockMoveMessagesForGroupFolders BookingsAddressEntryRestricted "
        "BookingsAuthEnabled BookingsBlockedWordsEnabled BookingsCreationOfCustomQuestionsRestricted BookingsEnabled "
        "BookingsExposureOfStaffDetailsRestricted BookingsMembershipApprovalRequired BookingsNamingPolicyEnabled "
        "BookingsNamingPolicyPrefix BookingsNamingPolicyPrefixEnabled BookingsNamingPolicySuffix "
        "BookingsNamingPolicySuffixEnabled BookingsNotesEntryRestricted BookingsPaymentsEnabled "
        "BookingsPhoneNumberEntryRestricted BookingsSearchEngineIndexDisabled BookingsSmsMicrosoftEnabled "
        "BookingsSocialSharingRestricted ByteEncoderTypeFor7BitCharsets CalendarVersionStoreEnabled "
        "ComplianceMLBgdCrawlEnabled ConnectorsActionableMessagesEnabled ConnectorsEnabled ConnectorsEnabledForOutlook "
        "ConnectorsEnabledForSharepoint ConnectorsEnabledForTeams ConnectorsEnabledForYammer CustomerLockboxEnabled "
        "DefaultFolderPermissionRestricted DefaultGroupAccessType DefaultMinutesToReduceLongEventsBy "
        "DefaultMinutesToReduceShortEventsBy DefaultPublicFolderAgeLimit DefaultPublicFolderDeletedItemRetention "
        "DefaultPublicFolderIssueWarningQuota DefaultPublicFolderMaxItemSize DefaultPublicFolderMovedItemRetention "
        "DefaultPublicFolderProhibitPostQuota DelayedDelicensingEnabled DirectReportsGroupAutoCreationEnabled "
        "DistributionGroupNameBlockedWordsList DistributionGroupNamingPolicy DLPViaDcsEnabled DLPWaitOnSendEnabled "
        "DLPWaitOnSendTimeout ElcProcessingDisabled EnableForwardingAddressSyncForMailboxes EnableOutlookEvents "
        "EndUserDLUpgradeFlowsDisabled EndUserMailNotificationForDelayedDelicensingEnabled EwsAllowEntourage "
        "EwsAllowList EwsAllowMacOutlook EwsAllowOutlook EwsAllowedAppIDs EwsApplicationAccessPolicy EwsBlockList "
        "EwsEnabled ExchangeNotificationEnabled ExchangeNotificationRecipients FindTimeAttendeeAuthenticationEnabled "
        "FindTimeAutoScheduleDisabled FindTimeLockPollForAttendeesEnabled FindTimeOnlineMeetingOptionDisabled "
        "FocusedInboxOn HierarchicalAddressBookRoot HybridRSVPEnabled IsAgendaMailEnabled "
        "IsGroupFoldersAndRulesEnabled IsGroupMemberAllowedToEditContent LeanPopoutEnabled LinkPreviewEnabled "
        "MailTipsAllTipsEnabled MailTipsExternalRecipientsTipsEnabled MailTipsGroupMetricsEnabled "
        "MailTipsLargeAudienceThreshold MailTipsMailboxSourcedTipsEnabled MatchSenderOrganizerProperties "
        "MessageHighlightsEnabled MessageRecallAlertRecipientsEnabled "
        "MessageRecallAlertRecipientsReadMessagesOnlyEnabled MessageRecallEnabled MessageRecallMaxRecallableAge "
        "MessageRemindersEnabled MobileAppEducationEnabled OnlineMeetingsByDefaultEnabled OutlookGifPickerDisabled "
        "OutlookMobileGCCRestrictionsEnabled OutlookMobileHelpShiftEnabled OutlookMobileSingleAccountEnabled "
        "OutlookPayEnabled OutlookTextPredictionDisabled PostponeRoamingSignaturesUntilLater "
        "PreferredInternetCodePageForShiftJis PublicFolderMailboxesLockedForNewConnections "
        "PublicFolderMailboxesMigrationComplete PublicFolderMigrationComplete PublicFolderShowClientControl "
        "PublicFoldersEnabled PublicFoldersLockedForMigration ReadTrackingEnabled RecallReadMessagesEnabled "
        "RemotePublicFolderMailboxes RequiredCharsetCoverage SendFromAliasEnabled ShortenEventScopeDefault "
        "SiteMailboxCreationURL SmtpActionableMessagesEnabled TenantAdminNotificationForDelayedDelicensingEnabled "
        "TwoClickMailPreviewEnabled UnblockUnsafeSenderPromptEnabled VisibleMeetingUpdateProperties "
        "WebPushNotificationsDisabled WebSuggestedRepliesDisabled WorkspaceTenantEnabled",
        switches="AutoExpandingArchive EnforceShortenEventSetting ExchangeAttributesCloudManagedByDefault "
        "ExchangeAttributesServerManagedByDefault",
    ),
)
