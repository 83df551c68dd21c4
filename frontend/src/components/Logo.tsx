/** A cup seen from above that is also a speech bubble. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" className="flex-none">
      <path
        className="fill-accent"
        d="M16 2.5c7.6 0 13.5 5.6 13.5 12.6S23.6 27.7 16 27.7c-1.5 0-3-.2-4.3-.6L5.1 30c-.8.3-1.6-.4-1.4-1.2l1.2-5.5c-1.5-2.1-2.4-5.1-2.4-8.2C2.5 8.1 8.4 2.5 16 2.5Z"
      />
      <circle cx="16" cy="15" r="9.2" fill="#3a2116" />
      <path
        fill="#f4dcc4"
        d="M16 20.6c-3.4-2.2-5.2-4.2-5.2-6.4a2.8 2.8 0 0 1 5.2-1.5 2.8 2.8 0 0 1 5.2 1.5c0 2.2-1.8 4.2-5.2 6.4Z"
      />
    </svg>
  )
}
